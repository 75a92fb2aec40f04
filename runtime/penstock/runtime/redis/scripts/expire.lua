-- expire: say how long a thread is kept after its last run, from now on if nothing is open on it.
--
-- ARGV[3] thread key, ARGV[4] ms (0: for ever), ARGV[5] thread id, ARGV[6] 1 where a time that it has is to stay.
-- Returns OK, or UNKNOWN where nobody knows the thread.
-- Keys: thread:<key>, history:<key>, those of separate, standing and thread_lists.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/clock
-- include: penstock.runtime.redis.scripts/history
-- include: penstock.runtime.redis.scripts/separate
-- include: penstock.runtime.redis.scripts/standing

local thread = ARGV[3]
local at = place_of(ARGV[5], thread)
if redis.call('EXISTS', key('thread', thread)) == 0 then
  return 'UNKNOWN'
end
if ARGV[6] == '1' and redis.call('HEXISTS', key('thread', thread), 'ttl') == 1 then
  return 'OK'
end
redis.call('HSET', key('thread', thread), 'ttl', ARGV[4])
local status, busy = standing(at.run)
if not busy and status ~= 'suspended' and status ~= 'queued' then
  rest(thread, ARGV[4])
end
if at.listed then
  thread_lists().show_thread(thread, at.listed)
end
return 'OK'
