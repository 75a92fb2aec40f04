-- acquire: claim one named run, for a process that needs no ticket.
--
-- ARGV[3] run id, ARGV[4] worker name, ARGV[5] nonce, ARGV[6] lease ms, ARGV[7] '1' if the process performs all
-- steps itself, also those that have a queue of their own.
-- Returns the claimed run, or what keeps it from being claimed: its status ('' if there is no run), or that steps
-- of it are under way elsewhere, which the process would perform at the same time.
-- Keys: those of claim.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/remote
-- include: penstock.runtime.redis.scripts/clock
-- include: penstock.runtime.redis.scripts/bell
-- include: penstock.runtime.redis.scripts/claim

local id, nonce = ARGV[3], ARGV[5]
local run = redis.call('HMGET', key('run', id), 'status', 'fence')
if run[1] == 'running' and run[2] and string.match(run[2], '%.(.*)$') == nonce then
  return claimed(id, run[2])
end
for _, by in ipairs(ARGV[7] == '1' and redis.call('HVALS', key('remote', id)) or {}) do
  if is_open(by) then
    return 'waiting for steps on other queues'
  end
end
local fence = claim(id, nonce, ARGV[4], tonumber(ARGV[6]))
if fence then
  return claimed(id, fence)
end
return run[1] or ''
