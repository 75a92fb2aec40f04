-- The legs of a run: each time that it goes on, another one begins. Needs names and clock.
--
-- open_leg(id, status, seq, request): note that a run that was in `status` goes on with its event `seq`; request: what
-- is kept of the one that made it go on, '' for none. Returns the number of the new leg; the first one is not noted.
-- leg_of(id, request): the number of the leg that a request has opened, nil if it has not.
-- Keys: run:<id>, whose field 'legs' counts them; 'leg:<n>' is '<seq of the event before> <status> <ms> <request>'.
local function open_leg(id, status, seq, request)
  local number = tonumber(redis.call('HGET', key('run', id), 'legs') or 1) + 1
  local text = string.format('%d', seq - 1) .. ' ' .. status .. ' ' .. NOW .. ' ' .. request
  redis.call('HSET', key('run', id), 'legs', number, 'leg:' .. number, text)
  return number
end

local function leg_of(id, request)
  for number = tonumber(redis.call('HGET', key('run', id), 'legs') or 1), 2, -1 do
    local text = redis.call('HGET', key('run', id), 'leg:' .. number) or ''
    if request ~= '' and string.sub(text, -#request) == request then
      return number
    end
  end
end
