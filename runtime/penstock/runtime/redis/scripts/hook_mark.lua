-- hook_mark: let webhooks be told of open runs that were enqueued before there was one.
--
-- ARGV[3] ms: runs created until then, ARGV[4] how many at most.
-- Returns the ms from which to go on, '' at the end. A run that has a field 'hooks' keeps it.
-- Keys: open:<facet>, run:<id>.
-- include: penstock.runtime.redis.scripts/names

local last = ''
local found = redis.call('ZREVRANGEBYSCORE', key('open', 'all'), ARGV[3], '-inf', 'WITHSCORES', 'LIMIT', 0, ARGV[4])
for at = 1, #found, 2 do
  local run = fields_of(found[at], 'status', 'hooks', 'op', 'home')
  if run.status and not (run.hooks or run.op or run.home) then
    redis.call('HSET', key('run', found[at]), 'hooks', 'all')
  end
  last = found[at + 1]
end
if #found < 2 * tonumber(ARGV[4]) then
  return ''
end
return string.format('%.0f', last == ARGV[3] and last - 1 or last)
