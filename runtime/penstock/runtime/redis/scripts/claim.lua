-- claim(id, nonce, worker, lease): take the lease of a queued run. Needs names, clock and bell.
--
-- Returns the fence '<epoch>.<nonce>', or nil where the run is not queued, or not the one that its thread is
-- at. The nonce makes a fence unique even where a failover has set the epoch back.
-- claimed(id, fence): what an attempt starts from; its last item is the seq of the newest event. Beside its
-- checkpoints it gets what nested entrypoints have kept on the thread: 'children' (their names, as JSON) and
-- 'previous^<name>' of each.
-- Keys: run:<id>, thread:<key>, checkpoints:<id>, events:<id>, leases, ready, runs:<status>.
local function claim(id, nonce, worker, lease)
  local run = redis.call('HMGET', key('run', id), 'status', 'queue', 'thread_key')
  if run[1] ~= 'queued' or redis.call('HGET', key('thread', run[3] or ''), 'run') ~= id then
    return nil
  end
  local epoch = redis.call('HINCRBY', key('run', id), 'epoch', 1)
  local fence = string.format('%.0f.%s', epoch, nonce)
  redis.call('HSET', key('run', id), 'fence', fence, 'batch', 0, 'worker', worker)
  redis.call('HSETNX', key('run', id), 'started', ms(now))
  status_to(id, 'queued', 'running')
  redis.call('ZREM', READY, id)
  redis.call('ZADD', LEASES, ms(now + lease), id)
  show_started(id, run[2], worker, fence)
  return fence
end

local function claimed(id, fence)
  local record = key('thread', redis.call('HGET', key('run', id), 'thread_key'))
  local kept = redis.call('HMGET', record, 'saved', 'children', 'value')
  local checkpoints = redis.call('HGETALL', key('checkpoints', id))
  for _, name in ipairs(kept[2] and cjson.decode(kept[2]) or {}) do
    checkpoints[#checkpoints + 1] = 'previous^' .. name
    checkpoints[#checkpoints + 1] = redis.call('HGET', record, 'saved:' .. name) or 'null'
  end
  if kept[2] then
    checkpoints[#checkpoints + 1] = 'children'
    checkpoints[#checkpoints + 1] = kept[2]
  end
  local newest = redis.call('XREVRANGE', key('events', id), '+', '-', 'COUNT', 1)[1]
  return { id, fence, redis.call('HGETALL', key('run', id)), checkpoints, kept[1] or '',
    newest and string.match(newest[1], '^%d+') or '0', kept[3] or '' }
end
