-- What an attempt stores beside its checkpoints: the state of a graph. Needs names.
--
-- ARGV[first...]: their number, then of each: verb, what follows graph: in the name of the key, field, value.
-- are_met(first): whether the fields that are to be there are there, or come with this write.
-- put_all(first): store them. Both return the index of what follows as their last value.
-- Keys: graph:<thread>, graph:<thread>:<space>, graph:<thread>:<space>:order.
local function are_met(first)
  local count, come = tonumber(ARGV[first]), {}
  for at = first + 1, first + 4 * count, 4 do
    local place = ARGV[at + 1] .. ' ' .. ARGV[at + 2]
    if ARGV[at] == 'set' then
      come[place] = true
    elseif ARGV[at] == 'need' and not come[place] then
      if redis.call('HEXISTS', key('graph', ARGV[at + 1]), ARGV[at + 2]) == 0 then
        return false
      end
    end
  end
  return true
end

local PUT = {
  set = function(name, field, value)
    redis.call('HSET', name, field, value)
  end,
  new = function(name, field, value)
    redis.call('HSETNX', name, field, value)
  end,
  drop = function(name, field)
    redis.call('HDEL', name, field)
  end,
  line = function(name, field, value)
    local lines = redis.call('HGET', name, field) or ''
    if not string.find('\n' .. lines, '\n' .. value .. '\n', 1, true) then
      redis.call('HSET', name, field, lines .. value .. '\n')
    end
  end,
  order = function(name, member)
    redis.call('ZADD', name, 0, member)
  end,
}

local function put_all(first)
  local following = first + 1 + 4 * tonumber(ARGV[first])
  for at = first + 1, following - 1, 4 do
    local put = PUT[ARGV[at]]
    if put then
      put(key('graph', ARGV[at + 1]), ARGV[at + 2], ARGV[at + 3])
    end
  end
  return following
end
