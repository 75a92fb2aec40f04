-- unpin: let workers with any version of its code execute a run.
--
-- ARGV[3] run id.
-- Returns the run's status, '' where there is none.
-- Keys: run:<id>, and those of ticket.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/clock
-- include: penstock.runtime.redis.scripts/ticket

local id = ARGV[3]
local run = fields_of(id, 'status', 'parked')
unpin(id, run)
return run.status or ''
