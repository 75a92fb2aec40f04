-- amend: change what a failed run has recorded, and let it go on.
--
-- ARGV[3] run id, ARGV[4] event run.resumed, ARGV[5] epoch of the run as the caller knows it, ARGV[6] nonce,
-- ARGV[7] how many checkpoints are set, ARGV[8...] pairs of name and text, then names of those that are deleted.
-- Returns 'queued' | 'moved' (new input came on the thread) | the run's status where it is not failed ('' for no run).
-- Sent twice it says 'queued' again, whatever the run has done since: its field 'amended' has the last nonce. Where the
-- run has gone on since the caller read it, nothing is changed.
-- Keys: run:<id>, checkpoints:<id>, events:<id>, channel:<id>, thread:<key>, open:<facet>, and those of reopen and
-- ticket.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/clock
-- include: penstock.publisher/append
-- include: penstock.runtime.redis.scripts/emit
-- include: penstock.runtime.redis.scripts/ticket
-- include: penstock.runtime.redis.scripts/feed as feed(emit_change)
-- include: penstock.runtime.redis.scripts/reopen

local id, size = ARGV[3], tonumber(ARGV[7])
local run = fields_of(id, 'status', 'thread_key', 'lone', 'epoch', 'amended')
if run.amended == ARGV[6] then
  return 'queued'
end
if run.status ~= 'failed' then
  return run.status or ''
end
if (run.epoch or '') ~= ARGV[5] or not is_at(id, run.thread_key, run.lone) then
  return 'moved'
end
for at = 8, 7 + 2 * size, 2 do
  redis.call('HSET', key('checkpoints', id), ARGV[at], ARGV[at + 1])
end
for at = 8 + 2 * size, #ARGV do
  redis.call('HDEL', key('checkpoints', id), ARGV[at])
end
redis.call('HSET', key('run', id), 'amended', ARGV[6])
go_on(id, 'failed', run.thread_key, ARGV[4])
return 'queued'
