-- finish: the last write of an attempt that ends its run.
--
-- ARGV as in commit, then: status (completed, failed, cancelled), reason, number of checkpoints to reopen, their fields;
-- of a failure, its cause as count_cause takes it. Returns OK, FENCED, or CANCELLED where newer input on the thread has
-- asked to roll the run back, or where nobody waits for the remote step any more: then nothing of this write is kept, and
-- the run has ended so.
-- Keys: those of commit, settle and causes.
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
-- include: penstock.runtime.redis.scripts/causes as causes(count_cause)

local id, batch = ARGV[3], ARGV[5]
local run = read(id)
local answer = refusal(run.fence, run.batch, run.status)

-- This write was the last one of its attempt, though nothing of it is kept: sent again, it is told OK.
-- seldom
local function end_cancelled(end_run, reason)
  redis.call('HSET', key('run', id), 'batch', batch)
  end_run(id, 'cancelled', reason)
  return 'CANCELLED'
end

if answer then
  return answer
end
drop(id, 'running') -- a write that needs no memory first: so Redis takes the rest when it is full
if run.cancel == 'rollback' then
  return end_cancelled(settle_here, 'rollback')
end
if run.home and not is_expected(id, run.home, run.home_step) then
  return end_cancelled(settle, run.cancel or 'its run is over')
end
local at, changed = apply(run.home or id, run.crashes, run.seq)
for field = at + 3, at + 2 + tonumber(ARGV[at + 2]) do
  redis.call('HDEL', key('checkpoints', id), ARGV[field])
end
local reason = ARGV[at + 1]
if ARGV[at] == 'cancelled' then
  reason = run.cancel or reason
end
local cause = at + 3 + tonumber(ARGV[at + 2])
if ARGV[cause] then
  causes().count_cause(id, run, reason, unpack(ARGV, cause, cause + 3))
  run.cause = ARGV[cause]
end
run.graph = run.graph or has_graph()
settle_as(id, run, ARGV[at], reason, nil, unpack(changed))
return 'OK'
