-- hook_put: write a webhook, or delete it, if it still is as the caller has read it.
--
-- ARGV[3] its id, ARGV[4] its record as it was read ('' for none), ARGV[5] its record ('' to delete it), ARGV[6] how many
-- webhooks there may be.
-- Returns OK, MOVED (it is another by now) or FULL.
-- Keys: webhooks (hash: id -> record), webhooks:due, and of each webhook webhook:<id> and what begins so.
-- include: penstock.runtime.redis.scripts/names

local id, WEBHOOKS = ARGV[3], ARGV[1] .. ':webhooks'
local known = redis.call('HGET', WEBHOOKS, id) or ''
if known == ARGV[5] then
  return redis.status_reply('OK') -- it was sent twice
elseif known ~= ARGV[4] then
  return redis.status_reply('MOVED')
elseif known == '' and redis.call('HLEN', WEBHOOKS) >= tonumber(ARGV[6]) then
  return redis.status_reply('FULL')
end
if ARGV[5] ~= '' then
  redis.call('HSET', WEBHOOKS, id, ARGV[5])
  return redis.status_reply('OK')
end
redis.call('HDEL', WEBHOOKS, id)
redis.call('ZREM', ARGV[1] .. ':webhooks:due', id)
for _, part in ipairs({ '', ':waiting', ':due', ':sending', ':log' }) do
  redis.call('PEXPIRE', key('webhook', id .. part), 0) -- as DEL does, which apps have no right to
end
return redis.status_reply('OK')
