-- The lists of the threads that have a record; others cost nothing. Needs names and clock.
--
-- show_thread(thread, status): the status of a thread from now on: idle, busy, interrupted or error.
-- hide_thread(id): the thread is in no list any more.
-- pair_thread(id, pairs): the digests of its pairs of metadata are these, separated by blanks.
-- Keys: thread:<key> (listed: the status in which the lists have it), threads (zset of ids by when they changed),
-- threads:<status> (the same), threads:created (zset of ids by the time of their records), threads:ending (zset of
-- ids by when their threads are gone), threads:pairs (hash: id -> digests), threads:with:<digest> (zset of ids).
local LISTED = ARGV[1] .. ':threads'

local function show_thread(thread, status)
  local found = redis.call('HMGET', key('thread', thread), 'id', 'listed')
  local id, before = found[1], found[2]
  if not before then
    return
  end
  if before ~= status then
    redis.call('ZREM', key('threads', before), id)
    redis.call('HSET', key('thread', thread), 'listed', status)
  end
  redis.call('ZADD', key('threads', status), NOW, id)
  redis.call('ZADD', LISTED, NOW, id)
  local left = redis.call('PTTL', key('thread', thread))
  if left > 0 then
    redis.call('ZADD', key('threads', 'ending'), ms(now + left), id)
  else
    redis.call('ZREM', key('threads', 'ending'), id)
  end
end

local function pair_thread(id, pairs)
  local before, kept = redis.call('HGET', key('threads', 'pairs'), id) or '', {}
  for digest in string.gmatch(pairs, '%S+') do
    kept[digest] = true
    redis.call('ZADD', key('threads', 'with:' .. digest), NOW, id)
  end
  for digest in string.gmatch(before, '%S+') do
    if not kept[digest] then
      redis.call('ZREM', key('threads', 'with:' .. digest), id)
    end
  end
  if pairs ~= '' then
    redis.call('HSET', key('threads', 'pairs'), id, pairs)
  else
    redis.call('HDEL', key('threads', 'pairs'), id)
  end
end

local function hide_thread(id)
  pair_thread(id, '')
  redis.call('ZREM', LISTED, id)
  for _, name in ipairs({ 'idle', 'busy', 'interrupted', 'error', 'created', 'ending' }) do
    redis.call('ZREM', key('threads', name), id)
  end
end
