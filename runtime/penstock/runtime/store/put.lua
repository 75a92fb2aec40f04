-- put: store and delete items, once, however often the call is sent.
--
-- ARGV[2] nonce, ARGV[3] ms for which an item must have been over for this write to remove it, ARGV[4] the items, none
-- of them twice, six parts each: path and digest of the namespace, key, TTL in ms (0: none), value ('': delete the item),
-- vectors ('': none).
-- A part is `<length>:<bytes>`: one argument, as the emulated server takes quadratic time for many.
-- An item keeps the time of its creation, by which searches without a query are in order.
-- Keys: those of items.
-- include: penstock.runtime.store/names
-- include: penstock.runtime.store/items

local known = {} -- digest of a namespace -> whether items there before expire, and have vectors

local function open(path, digest)
  redis.call('ZADD', NAMESPACES, 0, path)
  redis.call('HSET', key('space', digest), 'path', path)
  known[digest] = {
    expires = redis.call('EXISTS', key('expiry', digest)) == 1,
    vectors = redis.call('EXISTS', key('vectors', digest)) == 1,
  }
end

local function drop_if_over(digest, item)
  local time = known[digest].expires and redis.call('ZSCORE', key('expiry', digest), item)
  if time and tonumber(time) <= ms then
    drop(digest, item)
    return true
  end
end

local function expire(digest, item, ttl)
  if ttl > 0 then
    redis.call('ZADD', key('expiry', digest), whole(ms + ttl), item)
    local soonest = redis.call('ZSCORE', EXPIRIES, digest)
    if not soonest or tonumber(soonest) > ms + ttl then
      redis.call('ZADD', EXPIRIES, whole(ms + ttl), digest)
    end
  elseif known[digest].expires then
    redis.call('ZREM', key('expiry', digest), item)
  end
end

local function index(digest, item, vectors)
  if vectors ~= '' then
    redis.call('HSET', key('vectors', digest), item, vectors)
    mark(digest)
  elseif known[digest].vectors and redis.call('HDEL', key('vectors', digest), item) == 1 then
    mark(digest)
  end
end

local function put(path, digest, item, ttl, value, vectors)
  if not known[digest] then
    open(path, digest)
  end
  if drop_if_over(digest, item) then
    open(path, digest)
  end
  us = us + 1 -- so that the items of one write are in its order
  redis.call('HSET', key('items', digest), item, whole(us) .. ' ' .. ttl .. ' ' .. value)
  redis.call('ZADD', key('order', digest), 'NX', whole(us), item)
  expire(digest, item, tonumber(ttl))
  index(digest, item, vectors)
end

local batch, at = ARGV[4], 1

local function part()
  local colon = string.find(batch, ':', at, true)
  at = colon + 1 + tonumber(string.sub(batch, at, colon - 1))
  return string.sub(batch, colon + 1, at - 1)
end

if redis.call('EXISTS', done) == 1 then
  return 'DONE'
end
sweep(whole(ms - tonumber(ARGV[3])), 100)
while at <= #batch do
  local path, digest, item = part(), part(), part()
  local ttl, value, vectors = part(), part(), part()
  if value == '' then
    drop(digest, item)
  else
    put(path, digest, item, ttl, value, vectors)
  end
end
redis.call('SET', done, 'DONE', 'PX', 60000)
return 'DONE'
