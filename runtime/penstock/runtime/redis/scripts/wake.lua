-- wake: queue a suspended run again, so that it asks its questions anew.
--
-- ARGV[3] run id. Returns the status after the call ('' for no run).
-- Keys: run:<id>, open:<facet>, timers, and those of ticket.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/clock
-- include: penstock.runtime.redis.scripts/ticket

local id = ARGV[3]
local status = redis.call('HGET', key('run', id), 'status') or ''
if status ~= 'suspended' then
  return status
end
redis.call('ZREM', TIMERS, id)
status_to(id, 'suspended', 'queued')
offer(id, false)
return 'queued'
