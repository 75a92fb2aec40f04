-- suspend: the last write of an attempt whose run now waits, for answers or for a time.
--
-- ARGV as in commit, then: ms by Redis's clock when it goes on by itself ('' if it does not), pairs of interrupt
-- id and encoded question.
-- Returns OK, CANCELLED (a cancel came first: the run has ended so) or FENCED.
-- A run that asks nothing is still at work on its thread; one that asks gives way to newer input.
-- Keys: those of commit and settle; questions:<id> (hash: interrupt id -> question); timers.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/clock
-- include: penstock.publisher/append
-- include: penstock.runtime.redis.scripts/bell
-- include: penstock.runtime.redis.scripts/history
-- include: penstock.runtime.redis.scripts/settle
-- include: penstock.runtime.redis.scripts/commit

local at, answer = commit()
if not at then
  return answer
end
local id = ARGV[3]
redis.call('DEL', key('questions', id))
local asks = #ARGV > at
for field = at + 1, #ARGV, 2 do
  redis.call('HSET', key('questions', id), ARGV[field], ARGV[field + 1])
end
local run = redis.call('HMGET', key('run', id), 'queue', 'worker', 'fence', 'thread_key', 'cancel')
if run[5] then
  settle_here(id, 'cancelled', run[5])
  return 'CANCELLED'
end
drop(id)
status_to(id, 'running', 'suspended')
redis.call('HDEL', key('run', id), 'worker')
redis.call('HSET', key('run', id), 'asks', asks and '1' or '0', 'wakes', ARGV[at])
if ARGV[at] ~= '' and run[1] ~= '' then
  redis.call('ZADD', TIMERS, ARGV[at], id)
end
show_ended(id, run[1], run[2] or '', run[3], 'finished', 3600000)
if asks and redis.call('LLEN', key('waiting', run[4])) > 0 then
  settle_here(id, 'cancelled', 'superseded')
end
return 'OK'
