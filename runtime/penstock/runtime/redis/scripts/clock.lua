-- The time, by Redis's clock in milliseconds, and what is filed by it. Needs names.
--
-- Keys: run:<id>, runs:<status> (zsets of run ids by when they came to the status).
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function ms(number)
  return string.format('%.0f', number)
end

local NOW = ms(now)

local function index(id, from, to)
  if from and from ~= '' then
    redis.call('ZREM', ARGV[1] .. ':runs:' .. from, id)
  end
  redis.call('ZADD', ARGV[1] .. ':runs:' .. to, NOW, id)
end

-- home: the run whose step this one performs, if it does so: then it is not listed by itself. Pairs of field and
-- value that change with the status may follow.
local function status_to(id, from, to, home, ...)
  redis.call('HSET', key('run', id), 'status', to, 'updated', NOW, ...)
  if not home then
    index(id, from, to)
  end
end
