-- points: read points, each with its writes, and the values that they need, each value once.
--
-- ARGV[1] 1 to read all of them, 0 for their records only, 2 to read also what is told of them; ARGV[2] id that they are
-- older than ('' for none), ARGV[3] how many, the newest first; or their ids from ARGV[4] on.
-- Returns { { id, record, { name, record, ... } }, ... } and { field, record, ... } of values. With what is told of a
-- point, its snapshot and its values with pending writes, '' for none.
-- Keys: KEYS[2] graph:<thread>:<space>, KEYS[3] graph:<thread>:<space>:order; KEYS[1] is not reached.
-- include: penstock.langgraph.redis.scripts/reading

local ids = { unpack(ARGV, 4) }
if #ids == 0 then
  local below = ARGV[2] == '' and '+' or '(' .. ARGV[2]
  ids = redis.call('ZREVRANGEBYLEX', KEYS[3], below, '-', 'LIMIT', 0, ARGV[3])
end
local points, values, seen = {}, {}, {}
for _, id in ipairs(ids) do
  local record = redis.call('HGET', KEYS[2], 'p ' .. id)
  if record and ARGV[1] ~= '0' then
    local told = ARGV[1] == '2' and redis.call('HMGET', KEYS[2], 's ' .. id, 'a ' .. id) or {}
    points[#points + 1] = { id, record, writes_of(id), told[1] or '', told[2] or '' }
    for channel, version in pairs(head_of(record).versions) do
      follow(seen, values, channel, version)
    end
  elseif record then
    points[#points + 1] = { id, record, {} }
  end
end
return { points, values }
