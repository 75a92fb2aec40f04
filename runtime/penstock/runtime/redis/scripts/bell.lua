-- The RQ job of a run: the bell that calls a worker, and what `rq info` shows. Needs names and clock.
--
-- RQ's keys: rq:queues (set), rq:queue:<queue> (list), rq:job:<id>, rq:wip:<queue> (zset),
-- rq:execution:<id>:<fence>, rq:worker:<name>:executions (set), rq:finished/failed:<queue> (zsets).
-- Takes a job out of RQ's registries of what has ended: a run that waited or failed goes on, or ends otherwise.
local function unfile(id, queue)
  redis.call('ZREM', rq('finished', queue), id)
  redis.call('ZREM', rq('failed', queue), id)
end

local function ring(id, front)
  local run = redis.call('HMGET', key('run', id), 'queue', 'entrypoint', 'created_at', 'started')
  local queue = run[1]
  redis.call('ZADD', READY, ms(now), id)
  if queue == '' then
    return
  end
  local job = rq('job', id)
  redis.call('SADD', ARGV[2] .. ':queues', rq('queue', queue))
  redis.call('HSET', job, 'data', '["penstock.worker.job.perform",null,["' .. id .. '"],{}]',
    'origin', queue, 'status', 'queued', 'timeout', '-1', 'description', 'penstock ' .. run[2] .. ' ' .. id,
    'created_at', run[3], 'enqueued_at', run[3])
  if run[4] then -- it may have ended before, and its job be kept for a while only
    redis.call('PERSIST', job)
    unfile(id, queue)
  end
  redis.call(front and 'LPUSH' or 'RPUSH', rq('queue', queue), id)
end

local function show_started(id, queue, worker, fence)
  if worker == '' or queue == '' then
    return
  end
  local execution = id .. ':' .. fence
  local seconds = string.format('%.3f', now / 1000)
  redis.call('HSET', rq('job', id), 'status', 'started', 'worker_name', worker)
  redis.call('ZADD', rq('wip', queue), '+inf', execution)
  redis.call('HSET', rq('execution', execution), 'id', fence, 'job_id', id, 'created_at', seconds,
    'last_heartbeat', seconds, 'worker_name', worker)
  redis.call('EXPIRE', rq('execution', execution), 86400)
  redis.call('SADD', rq('worker', worker) .. ':executions', execution)
  redis.call('EXPIRE', rq('worker', worker) .. ':executions', 600)
end

local function show_ended(id, queue, worker, fence, status, ttl)
  if queue == '' then
    return
  end
  if worker ~= '' then
    local execution = id .. ':' .. fence
    redis.call('ZREM', rq('wip', queue), execution)
    redis.call('DEL', rq('execution', execution))
    redis.call('SREM', rq('worker', worker) .. ':executions', execution)
  end
  if status == 'queued' then
    return
  end
  local job = rq('job', id)
  if redis.call('PEXPIRE', job, math.max(1, ttl)) == 1 then
    redis.call('HSET', job, 'status', status)
  end
  if worker == '' then
    unfile(id, queue)
  end
  if status ~= 'canceled' then
    redis.call('ZADD', rq(status, queue), string.format('%.0f', (now + ttl) / 1000), id)
  end
end
