-- forget: delete points with their writes, and all values that no point that is left needs.
--
-- ARGV[1] space, ARGV[2] thread id, ARGV[3] the point that is left and stands for the thread ('' for none), ARGV[4...] ids
-- of points; of those that are not there, writes may be.
-- Returns OK; or BUSY, and nothing was deleted, where a point is to stand for the thread and is not the newest any more,
-- which may continue one of the others, or a run is open on the thread: it may be rolled back, and the thread with it to
-- one of the others.
-- Keys: KEYS[1] graph:<thread>, KEYS[2] graph:<thread>:<space>, KEYS[3] graph:<thread>:<space>:order; those of at_work.
-- include: penstock.langgraph.redis.scripts/at_work
-- include: penstock.langgraph.redis.scripts/reading

local function forget(id)
  for name in string.gmatch(redis.call('HGET', KEYS[2], 't ' .. id) or '', '[^\n]+') do
    redis.call('HDEL', KEYS[2], 'w ' .. id .. ' ' .. name)
  end
  redis.call('HDEL', KEYS[2], 't ' .. id, 's ' .. id, 'a ' .. id, 'p ' .. id)
  redis.call('ZREM', KEYS[3], id)
end

-- The fields of the values of the points that are left, with all that these continue.
local function needed()
  local seen = {}
  for _, id in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do
    local record = redis.call('HGET', KEYS[2], 'p ' .. id)
    for channel, version in pairs(record and head_of(record).versions or {}) do
      follow(seen, nil, channel, version)
    end
  end
  return seen
end

if ARGV[3] ~= '' and (is_open(ARGV[2]) or redis.call('ZREVRANGE', KEYS[3], 0, 0)[1] ~= ARGV[3]) then
  return 'BUSY'
end
for at = 4, #ARGV do
  forget(ARGV[at])
end
local kept = needed()
for _, field in ipairs(redis.call('HKEYS', KEYS[2])) do
  if string.sub(field, 1, 2) == 'v ' and not kept[field] then
    redis.call('HDEL', KEYS[2], field)
  end
end
if redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('HDEL', KEYS[1], 'space:' .. ARGV[1])
  if not string.find(table.concat(redis.call('HKEYS', KEYS[1]), '\n'), 'space:', 1, true) then
    redis.call('PEXPIRE', KEYS[1], 0)
  end
end
return 'OK'
