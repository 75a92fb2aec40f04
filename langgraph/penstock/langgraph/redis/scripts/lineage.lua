-- lineage: read what channels got on the way to a point: the writes of its ancestors, back to a stored value of each.
--
-- ARGV[1] id of the point, ARGV[2...] channels.
-- A value is that of its point before the writes of that point, which count too.
-- Returns { { id, { name, record, ... } }, ... } from the parent on, { { channel, id, version }, ... } of the values
-- found, and { field, record, ... } of values.
-- Keys: KEYS[2] graph:<thread>:<space>; KEYS[1], KEYS[3] are not reached.
-- include: penstock.langgraph.redis.scripts/reading

local function head(id)
  local record = redis.call('HGET', KEYS[2], 'p ' .. id)
  return record and head_of(record)
end

local asked, wanted, left = {}, {}, #ARGV - 1
for at = 2, #ARGV do
  asked[ARGV[at]], wanted[ARGV[at]] = true, true
end
local points, found, values, seen = {}, {}, {}, {}
local point = head(ARGV[1])
while point and point.parent ~= '' and left > 0 do
  local id = point.parent
  point = head(id)
  if point then
    points[#points + 1] = { id, writes_of(id, asked) }
    for channel, version in pairs(point.versions) do
      if wanted[channel] and redis.call('HEXISTS', KEYS[2], 'v ' .. channel .. ' ' .. version) == 1 then
        follow(seen, values, channel, version)
        found[#found + 1] = { channel, id, version }
        wanted[channel], left = nil, left - 1
      end
    end
  end
end
return { points, found, values }
