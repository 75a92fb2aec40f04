-- The state of a webhook. Needs names and clock.
--
-- disable(id, reason, kept): sends no more to it; what waits is kept for so many ms.
-- webhook:<id> is a hash: disabled, disabled_at, failing (since), delivered, failed, dropped, skipped (counts),
-- last_delivered, last_failed, unread (when a worker could not read what it had claimed), error. webhook:<id>:waiting is
-- a hash: delivery -> record, `<delivery>/n` -> claims, `<delivery>/t` -> tries that failed; webhook:<id>:due a zset of
-- these by when they are sent, :sending by when a claim ends, :log a list of tries.
-- Keys: webhook:<id>, webhooks:due (zset of ids by when the next delivery is due).
local function disable(id, reason, kept)
  redis.call('HSETNX', key('webhook', id), 'disabled', reason)
  redis.call('HSETNX', key('webhook', id), 'disabled_at', NOW)
  redis.call('PEXPIRE', key('webhook', id .. ':waiting'), kept)
  redis.call('PEXPIRE', key('webhook', id .. ':due'), kept)
  redis.call('ZREM', ARGV[1] .. ':webhooks:due', id)
end
