-- read: give items, and start their TTLs anew. Sent twice, it gives them twice.
--
-- ARGV[2] '1' to leave out items that are over, then for each item three: how (read; refresh: read and start its TTL
-- anew; touch: the latter only), digest of its namespace, key.
-- Returns for each item that is read { record, time of its creation in us }, or nil.
-- Keys: items, order, expiry of a namespace's digest.
-- include: penstock.runtime.store/names

local expiring = {} -- digest of a namespace -> whether any of its items expire

local function end_of(digest, item)
  if expiring[digest] == nil then
    expiring[digest] = redis.call('EXISTS', key('expiry', digest)) == 1
  end
  return expiring[digest] and redis.call('ZSCORE', key('expiry', digest), item)
end

local function read(how, digest, item)
  local record = redis.call('HGET', key('items', digest), item)
  if not record then
    return false
  end
  local expires = end_of(digest, item)
  if expires and ARGV[2] == '1' and tonumber(expires) <= ms then
    return false
  end
  if expires and how ~= 'read' then
    local ttl = tonumber(string.match(record, '^%d+ (%d+) '))
    redis.call('ZADD', key('expiry', digest), whole(ms + ttl), item)
  end
  return how ~= 'touch' and { record, redis.call('ZSCORE', key('order', digest), item) }
end

local answers = {}
for at = 3, #ARGV, 3 do
  answers[#answers + 1] = read(ARGV[at], ARGV[at + 1], ARGV[at + 2])
end
return answers
