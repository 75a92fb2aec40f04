-- Key names, as penstock.runtime.redis.keys has them (a test compares the two).
--
-- ARGV[1] prefix of Penstock's keys, ARGV[2] prefix of RQ's.
local function key(kind, id)
  return ARGV[1] .. ':' .. kind .. ':' .. id
end

local function rq(kind, id)
  return ARGV[2] .. ':' .. kind .. ':' .. id
end

local function popped(queue)
  return rq('queue', queue) .. ':intermediate'
end

local LEASES = ARGV[1] .. ':leases'
local READY = ARGV[1] .. ':ready'
local TIMERS = ARGV[1] .. ':timers'
local CONTROL = ARGV[1] .. ':control'
