-- The legs of a run: each time that it goes on, another one begins. Needs names and clock.
--
-- open_leg(id, status, seq, request): note that a run that was in `status` goes on with its event `seq`; request: what
-- is kept of the one that made it go on, '' for none. Returns the number of the new leg; the first one is not noted.
-- leg_of(id, request): the number of the leg that a request has opened, nil if it has not.
-- Keys: run:<id>, whose field 'legs' counts them; legs:<id> (list, from the second leg on: '<seq of the event before>
-- <status> <ms> <request>'), which other runs do not have.
local function open_leg(id, status, seq, request)
  local text = string.format('%d', seq - 1) .. ' ' .. status .. ' ' .. NOW .. ' ' .. request
  local number = redis.call('RPUSH', key('legs', id), text) + 1
  redis.call('HSET', key('run', id), 'legs', number)
  return number
end

local function leg_of(id, request)
  local texts = redis.call('LRANGE', key('legs', id), 0, -1)
  for at = #texts, 1, -1 do
    if request ~= '' and string.sub(texts[at], -#request) == request then
      return at + 1
    end
  end
end
