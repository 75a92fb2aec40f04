-- cancel: end a run, at once if it is not running, else as soon as its worker hears of it.
--
-- ARGV[3] run id, ARGV[4] reason.
-- Returns the status after the call: 'cancelled', 'running' (asked to stop), another terminal one, '' for no run.
-- The worker hears it on the control channel, and in the answer to its next renewal.
-- Keys: run:<id> and those of settle.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/remote
-- include: penstock.runtime.redis.scripts/clock
-- include: penstock.publisher/append
-- include: penstock.runtime.redis.scripts/emit
-- include: penstock.runtime.redis.scripts/ticket
-- include: penstock.runtime.redis.scripts/history
-- include: penstock.runtime.redis.scripts/facets
-- include: penstock.runtime.redis.scripts/feed as feed(emit_change)
-- include: penstock.runtime.redis.scripts/settle

local id = ARGV[3]
local status = redis.call('HGET', key('run', id), 'status') or ''
stop(id, status, ARGV[4])
return (status == 'queued' or status == 'suspended') and 'cancelled' or status
