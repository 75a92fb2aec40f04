-- unlist_threads: take threads that are gone out of the lists.
--
-- ARGV[3...] pairs of a thread's key and its id. Returns how many are gone.
-- Keys: thread:<key>, and those of thread_lists.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/clock
-- include: penstock.runtime.redis.scripts/thread_lists

local gone = 0
for each = 3, #ARGV, 2 do
  if redis.call('HEXISTS', key('thread', ARGV[each]), 'listed') == 0 then
    hide_thread(ARGV[each + 1])
    gone = gone + 1
  end
end
return gone
