-- resume: answer a run that waits, or let one that failed go on; it is queued again.
--
-- ARGV[3] run id, ARGV[4] event run.resumed, ARGV[5] epoch of the run as the caller knows it, ARGV[6] what is
-- kept of the request with the leg that it opens, or '', ARGV[7] the config that the run goes on with, or '' for that
-- which it has, ARGV[8...] pairs of interrupt id and encoded answer; without a pair, a failed run goes on.
-- Returns 'queued', or the number of the leg where something is kept of the request | 'answered' (another answer came
-- first) | 'unknown' (no such question) | 'moved' (new input came on the thread) | 'going' (it goes on already, with
-- another config) | the run's status where it cannot be resumed ('' for no run).
-- A run that goes on already, by its timer, another answer or a remote step, takes answers too, and so does one that
-- asks while it is at work: its worker is told, and an attempt that has not heard finds the answer as it would wait
-- for it (suspend). But none takes another config: it is for a run that waits or has failed.
-- Sent twice with the same answers it says 'queued' again; but a request is known by what is kept of it, which no other
-- has. The answers are checkpoints named '!<interrupt id>'.
-- Keys: run:<id>, questions:<id>, checkpoints:<id>, events:<id>, channel:<id>, thread:<key>, open:<facet>, channel
-- control, and those of reopen and ticket.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/clock
-- include: penstock.publisher/append
-- include: penstock.runtime.redis.scripts/emit
-- include: penstock.runtime.redis.scripts/ticket
-- include: penstock.runtime.redis.scripts/feed as feed(emit_change)
-- include: penstock.runtime.redis.scripts/reopen

local id = ARGV[3]
local run = fields_of(id, 'status', 'thread_key', 'lone', 'epoch', 'feed', 'hooks')
local status = run.status or ''
local request, config, answers = ARGV[6], ARGV[7], #ARGV > 7
local fresh = 0
for at = 8, #ARGV, 2 do
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
if answers and fresh == 0 or not answers and (run.epoch or '') ~= ARGV[5] then
  -- The answers are there, or it has gone on since the caller read that it failed.
  return request == '' and 'queued' or (leg_of(id, request) or 'answered') .. ''
end
local goes_on = status == 'queued' or status == 'running'
if goes_on and config ~= '' and config ~= redis.call('HGET', key('run', id), 'config') then
  return 'going'
end
if not answers and status ~= 'failed' or answers and status ~= 'suspended' and not goes_on then
  return status
end
if not is_at(id, run.thread_key, run.lone) then
  return 'moved'
end
if config ~= '' then
  redis.call('HSET', key('run', id), 'config', config)
end
for at = 8, #ARGV, 2 do
  redis.call('HSET', key('checkpoints', id), '!' .. ARGV[at], ARGV[at + 1])
  redis.call('HDEL', key('questions', id), ARGV[at], ARGV[at] .. '/schema')
end
local leg
if status == 'running' then
  local seq = emit(id, 0, { ARGV[4], '' })
  leg = open_leg(id, status, seq, request)
  if run.feed or run.hooks then
    feed().emit_change(id, run, 'run.resumed', status)
  end
  tell_news(id)
elseif status == 'queued' then
  leg = reopen(id, run.thread_key, ARGV[4], request)
else
  leg = go_on(id, status, run.thread_key, ARGV[4], request)
end
return request == '' and 'queued' or leg .. ''
