-- trim: forget the checkpoints of a thread but its newest, unless a run is open on it.
--
-- ARGV[3] thread key.
-- Returns OK, GRAPH where a graph is executed on the thread, or BUSY where a run is open on it, which may have to be
-- rolled back.
-- Keys: thread:<key>, history:<key>, graph:<key>, those of standing.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/standing

local thread = ARGV[3]
local status, busy = standing(redis.call('HGET', key('thread', thread), 'run'))
if busy or status == 'suspended' then
  return 'BUSY'
end
local is_of_graph = redis.call('HEXISTS', key('graph', thread), 'hosted') == 1
redis.call('LTRIM', key('history', thread), -1, -1)
return is_of_graph and 'GRAPH' or 'OK'
