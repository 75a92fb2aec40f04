-- announce: say for a while which entrypoints a live worker has.
--
-- ARGV[3] ms until it is to be said again, ARGV[4...] names. Keys: entrypoints.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/clock

local ENTRYPOINTS = ARGV[1] .. ':entrypoints'
redis.call('ZREMRANGEBYSCORE', ENTRYPOINTS, '-inf', ms(now))
for at = 4, #ARGV do
  redis.call('ZADD', ENTRYPOINTS, ms(now + tonumber(ARGV[3])), ARGV[at])
end
return redis.status_reply('OK')
