-- reading: what points hold. Needs KEYS[2], the hash of their space.
--
-- Keys: KEYS[2] graph:<thread>:<space>.

-- head_of(record): the head of a point or a write, which is JSON.
local function head_of(record)
  return cjson.decode(string.match(record, '^[^\n]*'))
end

-- follow(seen, values, channel, version): note the field of a value and of all that it continues; the first of the
-- fields that is not noted yet and those after it go to values, if there is a list of these, each with its record.
local function follow(seen, values, channel, version)
  while version do
    local field = 'v ' .. channel .. ' ' .. version
    local record = not seen[field] and redis.call('HGET', KEYS[2], field)
    if not record then
      return
    end
    seen[field] = true
    if values then
      values[#values + 1], values[#values + 2] = field, record
    end
    version = string.match(record, '^([^%s]+) ') -- nothing stands there in a record of a whole value
  end
end

-- writes_of(id, channels): names and records of a point's writes to some channels, nil for all, in a flat list.
local function writes_of(id, channels)
  local writes = {}
  for name in string.gmatch(redis.call('HGET', KEYS[2], 't ' .. id) or '', '[^\n]+') do
    local record = redis.call('HGET', KEYS[2], 'w ' .. id .. ' ' .. name)
    if record and (not channels or channels[head_of(record)[1]]) then
      writes[#writes + 1], writes[#writes + 2] = name, record
    end
  end
  return writes
end
