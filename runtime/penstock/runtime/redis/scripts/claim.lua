-- claim(id, nonce, worker, lease): take the lease of a queued run. Needs names, clock and bell.
--
-- Returns the fence '<epoch>.<nonce>', or nil where the run is not queued, or not the one that its thread is
-- at. The nonce makes a fence unique even where a failover has set the epoch back.
-- claimed(id, fence): what an attempt starts from.
-- Keys: run:<id>, thread:<key>, checkpoints:<id>, leases, ready, runs:<status>.
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
  local saved = redis.call('HGET', key('thread', redis.call('HGET', key('run', id), 'thread_key')), 'saved')
  return { id, fence, redis.call('HGETALL', key('run', id)), redis.call('HGETALL', key('checkpoints', id)),
    saved or '' }
end
