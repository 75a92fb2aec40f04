-- announce: say for a while what a live worker can execute.
--
-- ARGV[3] ms until it is to be said again, ARGV[4] digest of its app, ARGV[5...] names: 'e:<entrypoint>', 't:<task>'
-- and 'p:<entrypoint>@<version>'.
-- Keys: entrypoints (has tasks as 't:<task>', and so on), app:<digest> (set of these names, and of '', so that an app
-- that has none is known too); webhooks, and hooks and webhooks:due, which tell that there are deliveries to make.
-- Returns 1 if there are webhooks, or something to deliver, else 0.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/clock

local ENTRYPOINTS, app = ARGV[1] .. ':entrypoints', key('app', ARGV[4])
redis.call('ZREMRANGEBYSCORE', ENTRYPOINTS, '-inf', NOW)
redis.call('SADD', app, '')
for at = 5, #ARGV do
  redis.call('ZADD', ENTRYPOINTS, ms(now + tonumber(ARGV[3])), string.match(ARGV[at], '^e:(.*)$') or ARGV[at])
  redis.call('SADD', app, ARGV[at])
end
redis.call('PEXPIRE', app, math.max(tonumber(ARGV[3]), redis.call('PTTL', app)))
local WEBHOOKS = ARGV[1] .. ':webhooks'
return redis.call('EXISTS', WEBHOOKS, ARGV[1] .. ':hooks', WEBHOOKS .. ':due') > 0 and 1 or 0
