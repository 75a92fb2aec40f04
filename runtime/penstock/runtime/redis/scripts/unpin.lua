-- unpin: let workers with any version of its code execute a run.
--
-- ARGV[3] run id.
-- Returns the run's status, '' where there is none.
-- Keys: run:<id>, and those of ticket.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/clock
-- include: penstock.runtime.redis.scripts/ticket

local id = ARGV[3]
local run = redis.call('HMGET', key('run', id), 'status', 'pin', 'parked')
if run[2] then
  redis.call('HDEL', key('run', id), 'pin')
  if run[1] == 'queued' and run[3] then
    offer(id, true)
  end
end
return run[1] or ''
