-- describe: say what clients may know of an entrypoint, unless a worker that began later has said it.
--
-- ARGV[3] name of the entrypoint, ARGV[4] when this worker began (seconds since 1970 by Redis's clock), ARGV[5] the description, JSON
-- that begins with this time as `since`, ARGV[6] for how many ms it is kept.
-- Returns OK, or NEWER where another one stands.
-- Keys: entrypoint:<name>.
-- include: penstock.runtime.redis.scripts/names

local described = ARGV[1] .. ':entrypoint:' .. ARGV[3]
local since = string.match(redis.call('GET', described) or '', '^{"since": ([%d.]+)')
if since and tonumber(since) > tonumber(ARGV[4]) then
  return redis.status_reply('NEWER')
end
redis.call('SET', described, ARGV[5], 'PX', ARGV[6])
return redis.status_reply('OK')
