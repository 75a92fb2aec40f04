-- Key names, as penstock.runtime.redis.keys has them (a test compares the two), and the time.
--
-- ARGV[1] prefix of Penstock's keys, ARGV[2] prefix of RQ's. `now` is milliseconds of Redis's clock.
local function key(kind, id)
  return ARGV[1] .. ':' .. kind .. ':' .. id
end

local function rq(kind, id)
  return ARGV[2] .. ':' .. kind .. ':' .. id
end

local LEASES = ARGV[1] .. ':leases'
local READY = ARGV[1] .. ':ready'
local TIMERS = ARGV[1] .. ':timers'
local CONTROL = ARGV[1] .. ':control'

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function ms(number)
  return string.format('%.0f', number)
end

local function index(id, from, to)
  if from and from ~= '' then
    redis.call('ZREM', ARGV[1] .. ':runs:' .. from, id)
  end
  redis.call('ZADD', ARGV[1] .. ':runs:' .. to, ms(now), id)
end

local function status_to(id, from, to)
  redis.call('HSET', key('run', id), 'status', to, 'updated', ms(now))
  index(id, from, to)
end
