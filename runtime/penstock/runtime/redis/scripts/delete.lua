-- delete: forget a thread, with the runs that its history names; or runs of it that are over.
--
-- ARGV[3] thread key, ARGV[4] thread id, ARGV[5...] ids of runs; without one, the thread itself.
-- Returns { OK, '' } or { BUSY, run id }.
-- Keys: thread:<key>, history:<key>, waiting:<key>, those of separate, standing, settle, forget and graph_keys.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/remote
-- include: penstock.runtime.redis.scripts/clock
-- include: penstock.publisher/append
-- include: penstock.runtime.redis.scripts/emit
-- include: penstock.runtime.redis.scripts/ticket
-- include: penstock.runtime.redis.scripts/history
-- include: penstock.runtime.redis.scripts/separate
-- include: penstock.runtime.redis.scripts/facets
-- include: penstock.runtime.redis.scripts/feed as feed(emit_change)
-- include: penstock.runtime.redis.scripts/settle
-- include: penstock.runtime.redis.scripts/standing
-- include: penstock.runtime.redis.scripts/forget

local thread = ARGV[3]

if #ARGV > 4 then
  for at = 5, #ARGV do
    forget(ARGV[at], thread)
  end
  return { 'OK', '' }
end
local at = place_of(ARGV[4], thread)
local active = at.run
local status, busy = standing(active)
if busy then
  return { 'BUSY', active }
end
if status == 'suspended' or status == 'queued' then
  settle_here(active, 'cancelled', 'deleted')
end
for _, entry in ipairs(redis.call('LRANGE', key('history', thread), 0, -1)) do
  local _, _, _, _, id = string.match(entry, HEAD)
  if id ~= '' then
    forget(id, thread)
  end
end
graph_keys().keep_graph(thread, nil)
if at.listed then
  thread_lists().hide_thread(ARGV[4])
end
drop_keys(key('thread', thread), key('history', thread), key('waiting', thread))
return { 'OK', '' }
