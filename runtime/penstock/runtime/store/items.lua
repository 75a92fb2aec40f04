-- Taking items out of a store, with all that points at them. Needs names.
--
-- ARGV[2] nonce of the write; it is the version of the vectors that the write leaves behind.
-- Keys: namespaces, expiries, done:<nonce>; space, items, order, expiry, vectors of a namespace's digest.
local done = key('done', ARGV[2])
local marked = {} -- digests of namespaces that have this write's version

local function mark(digest)
  if not marked[digest] then
    redis.call('HSET', key('space', digest), 'version', ARGV[2])
    marked[digest] = true
  end
end

local function drop(digest, item)
  if redis.call('HDEL', key('items', digest), item) == 0 then
    return 0
  end
  redis.call('ZREM', key('order', digest), item)
  redis.call('ZREM', key('expiry', digest), item)
  if redis.call('HDEL', key('vectors', digest), item) == 1 then
    mark(digest)
  end
  if redis.call('EXISTS', key('items', digest)) == 0 then
    redis.call('ZREM', NAMESPACES, redis.call('HGET', key('space', digest), 'path'))
    redis.call('ZREM', EXPIRIES, digest)
    redis.call('DEL', key('space', digest))
    marked[digest] = nil
  end
  return 1
end

-- Removes up to `room` items that were over at `time`, and looks at up to as many namespaces.
local function sweep(time, room)
  local swept = 0
  for _, digest in ipairs(redis.call('ZRANGEBYSCORE', EXPIRIES, '-inf', time, 'LIMIT', 0, room)) do
    local expiry = key('expiry', digest)
    if swept < room then
      for _, item in ipairs(redis.call('ZRANGEBYSCORE', expiry, '-inf', time, 'LIMIT', 0, room - swept)) do
        swept = swept + drop(digest, item)
      end
      local soonest = redis.call('ZRANGE', expiry, 0, 0, 'WITHSCORES')
      if soonest[2] then
        redis.call('ZADD', EXPIRIES, soonest[2], digest)
      else
        redis.call('ZREM', EXPIRIES, digest)
      end
    end
  end
  return swept
end
