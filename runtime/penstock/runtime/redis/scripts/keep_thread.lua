-- keep_thread: make the record of a thread, or change it; from then on the thread is in the lists.
--
-- ARGV[3] thread key, ARGV[4] thread id, ARGV[5] nonce, ARGV[6] 'new' (there is no such thread yet), 'any' (it has no
-- record yet) or 'known' (there is such a thread), ARGV[7] its record as far as the caller knows, '' for none, ARGV[8]
-- the record, ARGV[9] digests of its pairs of metadata, separated by blanks, ARGV[10] ms that it is kept after its last
-- run, 0 for ever, '' as before, ARGV[11] the same for a thread that is made.
-- Returns OK, TAKEN (there is such a thread, or it has a record), UNKNOWN (there is none) or MOVED (it has another
-- record).
-- Keys: run:<id>, graph:<key>, made:<nonce>; those of separate, standing and thread_lists.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/clock
-- include: penstock.runtime.redis.scripts/history
-- include: penstock.runtime.redis.scripts/separate
-- include: penstock.runtime.redis.scripts/standing
-- include: penstock.runtime.redis.scripts/thread_lists

local thread, id, wanted = ARGV[3], ARGV[4], ARGV[6]
if redis.call('EXISTS', key('made', ARGV[5])) == 1 then
  return 'OK'
end
local at = place_of(id, thread)
local exists = at.head or at.listed or redis.call('EXISTS', key('graph', thread)) == 1
if wanted == 'new' and exists or wanted == 'any' and at.listed then
  return 'TAKEN'
elseif wanted == 'known' and not exists then
  return 'UNKNOWN'
elseif (redis.call('HGET', key('thread', thread), 'record') or '') ~= ARGV[7] then
  return 'MOVED'
end

-- The status of a thread at a run in a status; nil if that is gone.
local function status_of(active, status, busy)
  if busy or status == 'queued' then
    return 'busy'
  elseif status == 'failed' then
    return 'error'
  elseif status == 'suspended' or status == 'cancelled' and redis.call('HGET', key('run', active), 'reason') ~= 'rollback' then
    return 'interrupted'
  end
  return (status or not active) and 'idle' or nil
end

-- When the oldest checkpoint was made that is kept; now if there is none.
local function since()
  local oldest = redis.call('LINDEX', key('history', thread), 0)
  local _, _, _, _, _, time = string.match(oldest or '', HEAD)
  return time or NOW
end

local left, busy = standing(at.run)
local status = status_of(at.run, left, busy) or at.listed or 'idle'
redis.call('HSET', key('thread', thread), 'id', id, 'record', ARGV[8], 'listed', status)
local created = redis.call('HGET', key('thread', thread), 'created') or since()
redis.call('HSET', key('thread', thread), 'created', created)
redis.call('ZADD', key('threads', 'created'), created, id)
for _, other in ipairs({ 'idle', 'busy', 'interrupted', 'error' }) do
  redis.call('ZREM', key('threads', other), id)
end
if not at.listed then
  if at.run and redis.call('EXISTS', key('run', at.run)) == 1 then
    redis.call('HSET', key('run', at.run), 'listed', '1')
  end
end
local ttl = ARGV[10]
if ttl == '' and not exists then
  ttl = ARGV[11]
end
if ttl ~= '' then
  if ARGV[10] ~= '' then
    redis.call('HSET', key('thread', thread), 'ttl', ttl)
  end
  if not busy and left ~= 'suspended' and left ~= 'queued' then
    rest(thread, ttl)
  end
end
pair_thread(id, ARGV[9])
show_thread(thread, status)
redis.call('SET', key('made', ARGV[5]), '', 'PX', 60000) -- so that the same call sent again is not refused
return 'OK'
