-- The time, by Redis's clock in milliseconds, and what changes with it. Needs names.
--
-- Keys: run:<id>, open:<facet> (of those that wait: zset by when they were created).
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function ms(number)
  return string.format('%d', number) -- which takes a fraction of what '%.0f' takes
end

local NOW = ms(now)

-- Pairs of field and value that change with the status may follow.
local function status_to(id, from, to, ...)
  redis.call('HSET', key('run', id), 'status', to, 'updated', NOW, ...)
  if from == 'suspended' then
    redis.call('ZREM', SUSPENDED, id)
  end
end
