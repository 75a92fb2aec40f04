-- hook_sent: note how a try to deliver went.
--
-- ARGV[3] id of the webhook, ARGV[4] of the delivery, ARGV[5] the claim that it was sent under, ARGV[6] ok, failed, gone
-- (the receiver is, for good) or later (it was not sent, which is no try), ARGV[7] ms until it is tried again ('' if it is
-- not), ARGV[8] what is logged, ARGV[9] what the receiver did wrong, ARGV[10] ms of failures after which a webhook is
-- disabled, ARGV[11] ms for which a disabled one keeps what waits, ARGV[12] how many log entries are kept.
-- Returns OK, DISABLED, or STALE where another claim is under way and this one has not delivered, or nothing waits any more.
-- Keys: webhooks, webhooks:due, webhook:<id>, webhook:~ (counts of all URLs of runs, as long as there are some), those of
-- hook_state.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/clock
-- include: penstock.runtime.redis.scripts/hook_state

local id, delivery, outcome = ARGV[3], ARGV[4], ARGV[6]
local waiting, due, sending = key('webhook', id .. ':waiting'), key('webhook', id .. ':due'), key('webhook', id .. ':sending')
local state, log = key('webhook', id), key('webhook', id .. ':log')
local is_named = string.sub(id, 1, 1) ~= '~'
local claim = redis.call('HGET', waiting, delivery .. '/n')
if not claim or (outcome ~= 'ok' and claim ~= ARGV[5]) then
  return redis.status_reply('STALE')
end

local function done()
  redis.call('HDEL', waiting, delivery, delivery .. '/n', delivery .. '/t')
  redis.call('ZREM', due, delivery)
end

local function wait()
  redis.call('ZADD', due, ms(now + tonumber(ARGV[7])), delivery)
end

local function count(what)
  redis.call('HINCRBY', state, what, 1)
  if not is_named then
    redis.call('HINCRBY', key('webhook', '~'), what, 1)
    redis.call('PEXPIRE', key('webhook', '~'), ARGV[11])
  end
end

local function succeed()
  count('delivered')
  redis.call('HSET', state, 'last_delivered', NOW)
  redis.call('HDEL', state, 'failing')
  done()
end

-- Returns for how many ms all tries have failed.
local function fail()
  redis.call('HSETNX', state, 'failing', NOW)
  redis.call('HSET', state, 'last_failed', NOW, 'error', ARGV[9])
  local failing = now - redis.call('HGET', state, 'failing')
  if ARGV[7] ~= '' and (outcome ~= 'gone' or is_named) then
    redis.call('HINCRBY', waiting, delivery .. '/t', 1)
    wait()
    return failing
  end
  count('failed')
  done()
  if redis.call('EXISTS', due) == 0 then
    redis.call('HDEL', state, 'failing') -- nothing is tried from now on: two failures days apart are not days of failures
  end
  return failing
end

redis.call('ZREM', sending, delivery)
if is_named and outcome ~= 'later' then
  redis.call('LPUSH', log, ARGV[8])
  redis.call('LTRIM', log, 0, ARGV[12] - 1)
end
local answer = 'OK'
if outcome == 'ok' then
  succeed()
elseif outcome == 'later' then
  redis.call('HSET', state, 'unread', NOW)
  wait()
else
  local failing = fail()
  if is_named and (outcome == 'gone' or failing >= tonumber(ARGV[10])) then
    disable(id, outcome == 'gone' and ARGV[9] or 'it has failed for days: ' .. ARGV[9], ARGV[11])
    answer = 'DISABLED'
  end
end
if not is_named then
  redis.call('PEXPIRE', state, ARGV[11])
end
if redis.call('EXISTS', due) == 0 then
  redis.call('ZREM', ARGV[1] .. ':webhooks:due', id)
elseif answer == 'OK' then
  redis.call('ZADD', ARGV[1] .. ':webhooks:due', 'LT', NOW, id) -- one of the places is free
end
return redis.status_reply(answer)
