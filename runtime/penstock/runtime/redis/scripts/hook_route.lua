-- hook_route: make deliveries of a change of a run, once.
--
-- ARGV[3] id of the change in hooks ('' for none), ARGV[4] its run, ARGV[5] its seq, ARGV[6] how many deliveries may wait
-- for one webhook, ARGV[7] ms that keys of a URL that is no webhook of its own (its id begins with '~') are kept, then
-- for each webhook that is told its id, the delivery's id and its record.
-- Returns 1, or 0 where another worker has made them.
-- A webhook that is disabled, or has too many, counts what it is not told of.
-- Keys: hooks (stream), webhooks:due, webhook:<id>, those of hook_state.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/clock

local HOOKS = ARGV[1] .. ':hooks'

-- Tells whether the change is still there: the stream may have been emptied, and its ids given again.
local function is_there()
  local entry = redis.call('XRANGE', HOOKS, ARGV[3], ARGV[3])[1]
  local told = {}
  for at = 1, entry and #entry[2] or 0, 2 do
    told[entry[2][at]] = entry[2][at + 1]
  end
  return told.run == ARGV[4] and told.seq == ARGV[5]
end

-- Apps have no right to HINCRBY.
local function count(id, what)
  redis.call('HSET', key('webhook', id), what, ms((redis.call('HGET', key('webhook', id), what) or 0) + 1))
end

local function add(id, delivery, record)
  local due, waiting = key('webhook', id .. ':due'), key('webhook', id .. ':waiting')
  if redis.call('HEXISTS', key('webhook', id), 'disabled') == 1 then
    count(id, 'skipped')
  elseif redis.call('ZCARD', due) >= tonumber(ARGV[6]) then
    count(id, 'dropped')
  elseif redis.call('HSETNX', waiting, delivery, record) == 1 then
    redis.call('ZADD', due, NOW, delivery)
    redis.call('ZADD', ARGV[1] .. ':webhooks:due', 'LT', NOW, id)
  end
  if string.sub(id, 1, 1) == '~' then
    for _, name in ipairs({ key('webhook', id), due, waiting }) do
      redis.call('PEXPIRE', name, ARGV[7])
    end
  end
end

if ARGV[3] ~= '' then
  if not is_there() then
    return 0
  end
  redis.call('XDEL', HOOKS, ARGV[3])
  if redis.call('XLEN', HOOKS) == 0 then
    redis.call('PEXPIRE', HOOKS, 0)
  end
end
for at = 8, #ARGV, 3 do
  add(ARGV[at], ARGV[at + 1], ARGV[at + 2])
end
return 1
