-- finish: the last write of an attempt that ends its run.
--
-- ARGV as in commit, then: status (completed, failed, cancelled), reason, number of checkpoints to
-- reopen, their fields. A cancel that came first wins over failed. Returns OK, CANCELLED or FENCED.
-- Keys: those of commit and settle.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/clock
-- include: penstock.publisher/append
-- include: penstock.runtime.redis.scripts/bell
-- include: penstock.runtime.redis.scripts/settle
-- include: penstock.runtime.redis.scripts/commit

local at, answer = commit()
if not at then
  return answer
end
local id = ARGV[3]
for field = at + 3, at + 2 + tonumber(ARGV[at + 2]) do
  redis.call('HDEL', key('checkpoints', id), ARGV[field])
end
settle(id, ARGV[at], ARGV[at + 1])
return 'OK'
