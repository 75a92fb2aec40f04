-- Key names of a store, as penstock.runtime.store.keys has them (a test compares the two).
--
-- ARGV[1] prefix.
local function key(kind, id)
  return ARGV[1] .. ':store:' .. kind .. ':' .. id
end

local NAMESPACES = ARGV[1] .. ':store:namespaces'
local EXPIRIES = ARGV[1] .. ':store:expiries'

local clock = redis.call('TIME')
local us = clock[1] * 1000000 + clock[2]
local ms = math.floor(us / 1000)

local function whole(number)
  return string.format('%.0f', number)
end
