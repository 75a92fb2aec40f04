-- finish: the last write of an attempt that ends its run.
--
-- ARGV as in commit, then: status (completed, failed, cancelled), reason, number of checkpoints to
-- reopen, their fields. Returns OK, FENCED, or CANCELLED where newer input on the thread has asked to
-- roll the run back, or where nobody waits for the remote step any more: then nothing of this write is kept, and the
-- run has ended so.
-- Keys: those of commit and settle.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/remote
-- include: penstock.runtime.redis.scripts/clock
-- include: penstock.publisher/append
-- include: penstock.runtime.redis.scripts/bell
-- include: penstock.runtime.redis.scripts/history
-- include: penstock.runtime.redis.scripts/settle
-- include: penstock.runtime.redis.scripts/puts
-- include: penstock.runtime.redis.scripts/commit

local id = ARGV[3]

-- This write was the last one of its attempt, though nothing of it is kept: sent again, it is told OK.
local function end_cancelled(end_run, reason)
  redis.call('HSET', key('run', id), 'batch', ARGV[5])
  end_run(id, 'cancelled', reason)
  return 'CANCELLED'
end

local asked = redis.call('HMGET', key('run', id), 'fence', 'status', 'cancel', 'home', 'home_step')
if asked[1] == ARGV[4] and asked[2] == 'running' then
  redis.call('ZREM', READY, id) -- a write that needs no memory first: so Redis takes the rest when it is full
  if asked[3] == 'rollback' then
    return end_cancelled(settle_here, 'rollback')
  end
  if asked[4] and not is_expected(id, asked[4], asked[5]) then
    return end_cancelled(settle, asked[3] or 'its run is over')
  end
end
local at, answer = commit()
if not at then
  return answer
end
for field = at + 3, at + 2 + tonumber(ARGV[at + 2]) do
  redis.call('HDEL', key('checkpoints', id), ARGV[field])
end
local reason = ARGV[at + 1]
if ARGV[at] == 'cancelled' then
  reason = asked[3] or reason
end
settle(id, ARGV[at], reason)
return 'OK'
