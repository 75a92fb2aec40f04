-- The time, by Redis's clock in milliseconds, and what is filed by it. Needs names.
--
-- Keys: run:<id>, runs:<status> (zsets of run ids by when they came to the status).
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function ms(number)
  return string.format('%.0f', number)
end

-- The run of a remote step is listed with the run whose step it is, so not by itself.
local function index(id, from, to)
  if redis.call('HEXISTS', key('run', id), 'home') == 1 then
    return
  end
  if from and from ~= '' then
    redis.call('ZREM', ARGV[1] .. ':runs:' .. from, id)
  end
  redis.call('ZADD', ARGV[1] .. ':runs:' .. to, ms(now), id)
end

local function status_to(id, from, to)
  redis.call('HSET', key('run', id), 'status', to, 'updated', ms(now))
  index(id, from, to)
end
