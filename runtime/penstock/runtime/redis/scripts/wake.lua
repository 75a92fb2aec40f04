-- wake: queue a suspended run again, so that it asks its questions anew.
--
-- ARGV[3] run id. Returns the status after the call ('' for no run).
-- Keys: run:<id>, open:<facet>, timers, and those of ticket and thread_lists.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/clock
-- include: penstock.runtime.redis.scripts/ticket
-- include: penstock.runtime.redis.scripts/thread_lists as thread_lists(show_thread)

local id = ARGV[3]
local run = fields_of(id, 'status', 'thread_key', 'listed')
local status = run.status or ''
if status ~= 'suspended' then
  return status
end
redis.call('ZREM', TIMERS, id)
status_to(id, 'suspended', 'queued')
offer(id, false)
if run.listed then
  thread_lists().show_thread(run.thread_key, 'busy')
end
return 'queued'
