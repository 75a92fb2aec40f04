-- resume: answer a run that waits, or let one that failed go on; it is queued again.
--
-- ARGV[3] run id, ARGV[4] event run.resumed, ARGV[5] epoch of the run as the caller knows it, ARGV[6...] pairs
-- of interrupt id and encoded answer; without a pair, a failed run goes on.
-- Returns 'queued' | 'answered' (another answer came first) | 'unknown' (no such question) |
-- 'moved' (new input came on the thread) | the run's status where it cannot be resumed ('' for no run).
-- A run that goes on already, by its timer, another answer or a remote step, takes answers too, and so does one that
-- asks while it is at work: its worker is told, and an attempt that has not heard finds the answer as it would wait
-- for it (suspend).
-- Sent twice with the same answers it says 'queued' again. The answers are checkpoints named '!<interrupt id>'.
-- Keys: run:<id>, questions:<id>, checkpoints:<id>, events:<id>, channel:<id>, thread:<key>, open:<facet>, channel
-- control, and those of reopen and ticket.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/clock
-- include: penstock.publisher/append
-- include: penstock.runtime.redis.scripts/ticket
-- include: penstock.runtime.redis.scripts/feed as feed(tell_change)
-- include: penstock.runtime.redis.scripts/reopen

local id = ARGV[3]
local run = fields_of(id, 'status', 'thread_key', 'lone', 'epoch', 'feed')
local status = run.status or ''
local answers = #ARGV > 5
local fresh = 0
for at = 6, #ARGV, 2 do
  local given = redis.call('HGET', key('checkpoints', id), '!' .. ARGV[at])
  if given and given ~= ARGV[at + 1] then
    return 'answered'
  end
  if not given then
    if redis.call('HEXISTS', key('questions', id), ARGV[at]) == 0 then
      return (status == 'suspended' or status == 'queued') and 'unknown' or status
    end
    fresh = fresh + 1
  end
end
if answers and fresh == 0 then
  return 'queued'
end
if not answers and (run.epoch or '') ~= ARGV[5] then
  return 'queued' -- it has gone on since the caller read that it failed
end
local goes_on = status == 'queued' or status == 'running'
if not answers and status ~= 'failed' or answers and status ~= 'suspended' and not goes_on then
  return status
end
if not is_at(id, run.thread_key, run.lone) then
  return 'moved'
end
for at = 6, #ARGV, 2 do
  redis.call('HSET', key('checkpoints', id), '!' .. ARGV[at], ARGV[at + 1])
  redis.call('HDEL', key('questions', id), ARGV[at], ARGV[at] .. '/schema')
end
if status == 'running' then
  append_texts(key('events', id), key('channel', id), 0, { ARGV[4], '' })
  if run.feed then
    feed().tell_change(id, run.feed, 'run.resumed', status)
  end
  tell_news(id)
elseif status == 'queued' then
  reopen(id, run.thread_key, ARGV[4])
else
  go_on(id, status, run.thread_key, ARGV[4])
end
return 'queued'
