-- hook_take: claim deliveries that are due, a few of each webhook.
--
-- ARGV[3] how many in all, ARGV[4] how many of one webhook may be sent at once, ARGV[5] ms after which another worker may
-- claim them again.
-- Returns for each the id of its webhook, its own, its record, how often it was claimed, and how often it was tried.
-- Keys: webhooks:due, webhook:<id>, those of hook_state.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/clock

local room, most = tonumber(ARGV[3]), tonumber(ARGV[4])
local until_when = ms(now + tonumber(ARGV[5]))
local DUE = ARGV[1] .. ':webhooks:due'
local taken = {}

local function claim(id, delivery)
  local waiting = key('webhook', id .. ':waiting')
  local record = redis.call('HGET', waiting, delivery)
  if not record then
    redis.call('ZREM', key('webhook', id .. ':due'), delivery)
    return
  end
  redis.call('ZADD', key('webhook', id .. ':due'), until_when, delivery)
  redis.call('ZADD', key('webhook', id .. ':sending'), until_when, delivery)
  redis.call('PEXPIRE', key('webhook', id .. ':sending'), ARGV[5])
  local number = redis.call('HINCRBY', waiting, delivery .. '/n', 1)
  local tries = redis.call('HGET', waiting, delivery .. '/t') or '0'
  taken[#taken + 1] = { id, delivery, record, number, tries }
  room = room - 1
end

-- When the next of a webhook may be claimed, nil if nothing waits.
local function next_of(id)
  local first = redis.call('ZRANGE', key('webhook', id .. ':due'), 0, 0, 'WITHSCORES')[2]
  if first and redis.call('ZCARD', key('webhook', id .. ':sending')) >= most then
    local free = redis.call('ZRANGE', key('webhook', id .. ':sending'), 0, 0, 'WITHSCORES')[2]
    return ms(math.max(first, free))
  end
  return first
end

for _, id in ipairs(redis.call('ZRANGEBYSCORE', DUE, '-inf', NOW, 'LIMIT', 0, ARGV[3])) do
  local due, sending = key('webhook', id .. ':due'), key('webhook', id .. ':sending')
  redis.call('ZREMRANGEBYSCORE', sending, '-inf', NOW)
  local free = math.min(room, most - redis.call('ZCARD', sending))
  if redis.call('HEXISTS', key('webhook', id), 'disabled') == 1 then
    redis.call('ZREM', DUE, id)
  elseif room > 0 then
    for _, delivery in ipairs(free > 0 and redis.call('ZRANGEBYSCORE', due, '-inf', NOW, 'LIMIT', 0, free) or {}) do
      claim(id, delivery)
    end
    local following = next_of(id)
    redis.call(unpack(following and { 'ZADD', DUE, following, id } or { 'ZREM', DUE, id }))
  end
end
return taken
