-- hook_route: make deliveries of a change of a run, once.
--
-- ARGV[3] id of the change in hooks ('' for none), ARGV[4] its run, ARGV[5] its seq, ARGV[6] how many deliveries may wait
-- for one webhook, ARGV[7] ms that keys of a URL that is no webhook of its own (its id begins with '~') are kept, ARGV[8]
-- how many ms it is counted for that the change was lost, as no worker can read it ('' if one can), then for each webhook
-- that is told its id, the delivery's id and its record, '' where no worker can read the webhook; '~' stands
-- for the URL of a run that no worker can read.
-- Returns how many of these wait now: 0 where another worker has made them.
-- A webhook that is disabled, has too many or cannot be read counts what it is not told of; one that was deleted does not.
-- Keys: hooks (stream), hooks:lost (a count), webhooks, webhooks:due, webhook:<id>, webhook:~ (counts of
-- all URLs of runs, as long as there are some), those of hook_state.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/clock

local HOOKS = ARGV[1] .. ':hooks'

-- Tells whether the change is still there: the stream may have been emptied, and its ids given again.
local function is_there()
  local entry = redis.call('XRANGE', HOOKS, ARGV[3], ARGV[3])[1]
  local told = { run = '', seq = '' }
  for at = 1, entry and #entry[2] or 0, 2 do
    told[entry[2][at]] = entry[2][at + 1]
  end
  return entry and told.run == ARGV[4] and told.seq == ARGV[5]
end

-- Apps have no right to HINCRBY. What is tried by hand is no change, and not counted.
local function count(id, what)
  if ARGV[3] ~= '' then
    redis.call('HSET', key('webhook', id), what, ms((redis.call('HGET', key('webhook', id), what) or 0) + 1))
    if string.sub(id, 1, 1) == '~' and id ~= '~' then
      count('~', what)
      redis.call('PEXPIRE', key('webhook', '~'), ARGV[7])
    end
  end
  return 0
end

local function add(id, delivery, record)
  local due, waiting = key('webhook', id .. ':due'), key('webhook', id .. ':waiting')
  if redis.call('HEXISTS', key('webhook', id), 'disabled') == 1 or record == '' then
    return count(id, 'skipped')
  elseif redis.call('ZCARD', due) >= tonumber(ARGV[6]) then
    return count(id, 'dropped')
  elseif redis.call('HSETNX', waiting, delivery, record) == 1 then
    redis.call('ZADD', due, NOW, delivery)
    redis.call('ZADD', ARGV[1] .. ':webhooks:due', 'LT', NOW, id)
  end
  return 1
end

if ARGV[3] ~= '' then
  if not is_there() then
    return 0
  end
  redis.call('XDEL', HOOKS, ARGV[3])
  if redis.call('XLEN', HOOKS) == 0 then
    redis.call('PEXPIRE', HOOKS, 0)
  end
  if ARGV[8] ~= '' then
    redis.call('SET', HOOKS .. ':lost', ms((redis.call('GET', HOOKS .. ':lost') or 0) + 1), 'PX', ARGV[8])
  end
end
local made = 0
for at = 9, #ARGV, 3 do
  local id = ARGV[at]
  local is_own = string.sub(id, 1, 1) == '~'
  if is_own or redis.call('HEXISTS', ARGV[1] .. ':webhooks', id) == 1 then
    made = made + add(id, ARGV[at + 1], ARGV[at + 2])
  end
  for _, part in ipairs(is_own and { '', ':waiting', ':due' } or {}) do
    redis.call('PEXPIRE', key('webhook', id .. part), ARGV[7])
  end
end
return made
