-- amend: change what a failed run has recorded, and let it go on.
--
-- ARGV[3] run id, ARGV[4] event run.resumed, ARGV[5] epoch of the run as the caller knows it, ARGV[6] how many
-- checkpoints are set, ARGV[7...] pairs of name and text, then names of those that are deleted.
-- Returns 'queued' | 'moved' (new input came on the thread) | the run's status where it is not failed ('' for no run).
-- Sent twice it says 'queued' again; where the run has gone on since the caller read it, nothing is changed.
-- Keys: run:<id>, checkpoints:<id>, events:<id>, channel:<id>, thread:<key>, open:<facet>, and those of reopen and
-- ticket.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/clock
-- include: penstock.publisher/append
-- include: penstock.runtime.redis.scripts/ticket
-- include: penstock.runtime.redis.scripts/reopen

local id, size = ARGV[3], tonumber(ARGV[6])
local run = redis.call('HMGET', key('run', id), 'status', 'thread_key', 'lone', 'epoch')
local status = run[1] or ''
if status ~= 'failed' then
  return status
end
if (run[4] or '') ~= ARGV[5] then
  return 'moved'
end
if not is_at(id, run[2], run[3]) then
  return 'moved'
end
for at = 7, 6 + 2 * size, 2 do
  redis.call('HSET', key('checkpoints', id), ARGV[at], ARGV[at + 1])
end
for at = 7 + 2 * size, #ARGV do
  redis.call('HDEL', key('checkpoints', id), ARGV[at])
end
reopen(id, run[2], ARGV[4])
status_to(id, status, 'queued')
offer(id, false)
return 'queued'
