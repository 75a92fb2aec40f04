-- publish: append events and publish them, once, however often the call is sent.
--
-- KEYS[1] list of events   ARGV[1] op: names this call; the text of its last event has it as a member
-- KEYS[2] channel          ARGV[2] look: how many events back that of an earlier sending may be, at least 1
--                          ARGV[3] keep: events to keep at least, 0 for all
--                          ARGV[4] ttl: milliseconds until the list expires, 0 for never
--                          ARGV[5] count; ARGV[6...] pairs of stored and published text
-- The ttl is for lists that begin here: one that is kept for ever, or for longer, stays so.
-- Returns the last seq of these events.
-- include: penstock.publisher/append
local TAIL = 64 -- bytes at the end of a text that have its op

local function sent(list, op, look)
  local mark, last = '"op":"' .. op .. '"', -1
  while look > 0 do
    local wanted = math.min(look, 100)
    local items = redis.call('LRANGE', list, last - wanted + 1, last)
    for at = #items, 1, -1 do
      if string.find(string.sub(items[at], -TAIL), mark, 1, true) then
        return tonumber(string.match(items[at], '^%d+'))
      end
    end
    look, last = #items < wanted and 0 or look - wanted, last - wanted
  end
end

local list, ttl = KEYS[1], tonumber(ARGV[4])
local seq = sent(list, ARGV[1], tonumber(ARGV[2]))
if seq then
  return seq
end
local expires = redis.call('PTTL', list) -- -2: no list yet, -1: kept for ever
seq = append(list, KEYS[2], tonumber(ARGV[3]), 6, tonumber(ARGV[5]))
if ttl > 0 and expires ~= -1 and expires < ttl then
  redis.call('PEXPIRE', list, ttl)
end
return seq
