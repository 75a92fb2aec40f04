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

-- Keep for ever what a saver with a ttl has kept for a time: from now on workers execute the thread, and say how long.
local function keep_for_ever(graph)
  for _, field in ipairs(redis.call('HKEYS', graph)) do
    local space = string.match(field, '^space:(.+)$')
    if space then
      redis.call('PERSIST', graph .. ':' .. space)
      redis.call('PERSIST', graph .. ':' .. space .. ':order')
    end
  end
  redis.call('PERSIST', graph)
end

local PUT = {
  set = function(name, field, value)
    if redis.call('HSET', name, field, value) == 1 and field == 'hosted' then
      keep_for_ever(name)
    end
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
