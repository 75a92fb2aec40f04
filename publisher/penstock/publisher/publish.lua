-- publish: append events to a stream and publish them, once, however often the call is sent.
--
-- KEYS[1] events stream    ARGV[1] op: names this call; the last entry it adds remembers it
-- KEYS[2] channel          ARGV[2] look: how many entries back an earlier sending may be, at least 1
--                          ARGV[3] keep: events to keep at least, 0 for all
--                          ARGV[4] ttl: milliseconds until the stream expires, 0 for never
--                          ARGV[5] count; ARGV[6...] pairs of stored and published text
-- The ttl is for streams that begin here: one that is kept for ever, or for longer, stays so.
-- Returns the last seq of these events.
-- include: penstock.publisher/append

local function sent(stream, op, look)
  local from = '+'
  while look > 0 do
    local entries = redis.call('XREVRANGE', stream, from, '-', 'COUNT', math.min(look, 100))
    for _, entry in ipairs(entries) do
      if entry[2][3] == 'op' and entry[2][4] == op then
        return tonumber(string.match(entry[1], '^%d+'))
      end
      from = '(' .. entry[1]
    end
    look = #entries < 100 and 0 or look - 100
  end
end

local stream, ttl = KEYS[1], tonumber(ARGV[4])
local seq = sent(stream, ARGV[1], tonumber(ARGV[2]))
if seq then
  return seq
end
local expires = redis.call('PTTL', stream) -- -2: no stream yet, -1: kept for ever
seq = append(stream, KEYS[2], tonumber(ARGV[3]), 6, tonumber(ARGV[5]), ARGV[1])
if ttl > 0 and expires ~= -1 and expires < ttl then
  redis.call('PEXPIRE', stream, ttl)
end
return seq
