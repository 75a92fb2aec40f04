-- hook_switch: disable a webhook, or enable it again: then what has waited is sent at once.
--
-- ARGV[3] its id, ARGV[4] why it is disabled, '' to enable it, ARGV[5] ms for which a disabled one keeps what waits.
-- Returns OK, UNKNOWN, or MORE where more waits than is made due in one call.
-- Keys: webhooks, webhooks:due, webhook:<id>, those of hook_state.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/clock
-- include: penstock.runtime.redis.scripts/hook_state

local id, AT_ONCE = ARGV[3], 1000
if redis.call('HEXISTS', ARGV[1] .. ':webhooks', id) == 0 then
  return redis.status_reply('UNKNOWN')
end
if ARGV[4] ~= '' then
  disable(id, ARGV[4], ARGV[5])
else
  redis.call('HDEL', key('webhook', id), 'disabled', 'disabled_at', 'failing')
  redis.call('PERSIST', key('webhook', id .. ':waiting'))
  redis.call('PERSIST', key('webhook', id .. ':due'))
  redis.call('ZADD', ARGV[1] .. ':webhooks:due', 'LT', NOW, id)
  local due = key('webhook', id .. ':due')
  local later = redis.call('ZRANGEBYSCORE', due, '(' .. NOW, '+inf', 'LIMIT', 0, AT_ONCE)
  for _, delivery in ipairs(later) do
    if not redis.call('ZSCORE', key('webhook', id .. ':sending'), delivery) then
      redis.call('ZADD', due, NOW, delivery)
    end
  end
  if #later == AT_ONCE then
    return redis.status_reply('MORE')
  end
end
return redis.status_reply('OK')
