-- handover: an attempt gives its run back, to the front of its queue, as if it had not begun.
--
-- ARGV as in commit. Returns OK, CANCELLED (a cancel came first: the run has ended so) or FENCED.
-- Without a queue no worker goes on with it: then it gives way to the runs that wait for their turn on its thread.
-- Keys: those of commit and settle; leases, waiting:<key>.
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
-- include: penstock.runtime.redis.scripts/commit

redis.call('ZREM', READY, '') -- a write that needs no memory first: so Redis takes the rest when it is full
local at, answer = commit()
if not at then
  return answer
end
local id = ARGV[3]
local run = fields_of(id, 'queue', 'worker', 'fence', 'cancel', 'thread_key')
if run.cancel then
  settle_here(id, 'cancelled', run.cancel)
  return 'CANCELLED'
end
if run.queue == '' and redis.call('LLEN', key('waiting', run.thread_key)) > 0 then
  settle_here(id, 'cancelled', 'superseded')
  return 'CANCELLED'
end
redis.call('ZREM', LEASES, id)
status_to(id, 'running', 'queued')
redis.call('HDEL', key('run', id), 'worker')
show_ended(id, run.queue, run.worker or '', run.fence, 'queued', 0)
offer(id, true)
return 'OK'
