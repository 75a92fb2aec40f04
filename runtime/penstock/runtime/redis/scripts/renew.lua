-- renew: extend the leases of all runs of a process.
--
-- ARGV[3] lease ms, ARGV[4...] pairs of run id and fence.
-- Returns for each run OK, CANCEL (somebody asks it to stop) or LOST (another attempt owns it, or its
-- keys cannot be used: that must not keep the others from being renewed).
-- Keys: run:<id>, leases, ready.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/clock

local answers = {}
redis.call('ZREM', READY, '') -- a write that needs no memory first: so Redis takes the rest when it is full
for at = 4, #ARGV, 2 do
  local run = redis.pcall('HMGET', key('run', ARGV[at]), 'fence', 'status', 'cancel')
  if run.err or run[1] ~= ARGV[at + 1] or run[2] ~= 'running' then
    answers[#answers + 1] = 'LOST'
  else
    redis.call('ZADD', LEASES, ms(now + tonumber(ARGV[3])), ARGV[at])
    answers[#answers + 1] = run[3] and 'CANCEL' or 'OK'
  end
end
return answers
