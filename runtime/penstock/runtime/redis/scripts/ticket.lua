-- The RQ job of a run: the ticket that calls a worker, and what `rq info` shows. Needs names and clock.
--
-- RQ's keys: rq:queues (set), rq:queue:<queue> (list), rq:job:<id>, rq:wip:<queue> (zset),
-- rq:execution:<id>:<fence>, rq:worker:<name>:executions (set), rq:finished/failed:<queue> (zsets).
-- Others: run:<id>, ready, parked:<queue>, parked:<queue>:<name>.
local RQ_STATUS = { completed = 'finished', failed = 'failed', cancelled = 'canceled', suspended = 'finished' }
local WAITING = 3600000 -- ms that RQ shows a run that waits as finished
local ENDED = 600000 -- ms that RQ shows a run that has ended well, or was cancelled

-- Takes a job out of RQ's registries of what has ended: a run that waited or failed goes on, or ends otherwise.
-- seldom
local function unfile(id, queue)
  redis.call('ZREM', rq_queue(queue, 'finished'), job_of(id))
  redis.call('ZREM', rq_queue(queue, 'failed'), job_of(id))
end

-- Takes a run out of those that wait for a worker with their code; name: what is missing.
-- seldom
local function unpark(id, queue, name)
  local parked = key('parked', queue .. ':' .. name)
  redis.call('ZREM', parked, id)
  redis.call('HDEL', key('run', id), 'parked')
  if redis.call('EXISTS', parked) == 0 then
    redis.call('SREM', key('parked', queue), name)
  end
end

-- The job's id names the run. Shorter than 65 bytes, as all fields are then, so that the hash takes half the memory.
local BELL = '["penstock.worker.job.perform",null,[],{}]'

-- known: queue, entrypoint and created_at of a run that is new; others are read.
local function offer(id, front, known)
  local run = known or redis.call('HMGET', key('run', id), 'queue', 'entrypoint', 'created_at', 'started', 'parked')
  local queue = run[1]
  if run[5] then
    unpark(id, queue, run[5])
  end
  redis.call('ZADD', READY, NOW, id)
  if queue == '' then
    return
  end
  local job = rq_job(id)
  redis.call('HSET', job, 'data', BELL,
    'origin', queue .. OF_QUEUES, 'status', 'queued', 'timeout', '-1', 'description', 'penstock ' .. run[2] .. ' ' .. id,
    'created_at', run[3], 'enqueued_at', run[3])
  if run[4] then -- it may have ended before, and its job be kept for a while only
    redis.call('PERSIST', job)
    unfile(id, queue)
  end
  if redis.call(front and 'LPUSH' or 'RPUSH', rq_queue(queue), job_of(id)) == 1 then
    redis.call('SADD', ARGV[2] .. ':queues', rq_queue(queue)) -- as RQ takes out a queue that it empties
  end
end

-- Lets workers with any version of its code execute a run; tells whether it was pinned. run: status, parked.
local function unpin(id, run)
  if redis.call('HDEL', key('run', id), 'pin') == 0 then
    return false
  end
  if run.status == 'queued' and run.parked then
    offer(id, true)
  end
  return true
end

local function show_started(id, queue, worker, fence)
  if worker == '' or queue == '' then
    return
  end
  local execution = rq('execution', job_of(id) .. ':' .. fence)
  local seconds = string.sub(NOW, 1, -4) .. '.' .. string.sub(NOW, -3)
  redis.call('HSET', rq_job(id), 'status', 'started', 'worker_name', worker)
  redis.call('HSET', execution, 'id', fence, 'job_id', job_of(id), 'created_at', seconds,
    'last_heartbeat', seconds, 'worker_name', worker)
  redis.call('EXPIRE', execution, 86400)
end

-- Lists all runs that a worker begins, each { id, queue, fence }, and lets RQ's list of them end if the worker does not
-- see to it.
local function list_started(worker, begun)
  if worker == '' then
    return
  end
  local executions = rq('worker', worker) .. ':executions'
  local at_work, listed = { 'SADD', executions }, {}
  for _, each in ipairs(begun) do
    local execution, queue = job_of(each[1]) .. ':' .. each[3], each[2]
    if queue ~= '' then
      at_work[#at_work + 1] = execution
      local list = listed[queue] or { 'ZADD', rq_queue(queue, 'wip') }
      list[#list + 1], list[#list + 2] = '+inf', execution
      listed[queue] = list
    end
  end
  for _, list in pairs(listed) do
    redis.call(unpack(list))
  end
  if at_work[3] then
    redis.call(unpack(at_work))
    redis.call('EXPIRE', executions, 600)
  end
end

local function show_ended(id, queue, worker, fence, status, ttl)
  if queue == '' then
    return
  end
  if worker ~= '' then
    local execution = job_of(id) .. ':' .. fence
    redis.call('ZREM', rq_queue(queue, 'wip'), execution)
    redis.call('DEL', rq('execution', execution))
    redis.call('SREM', rq('worker', worker) .. ':executions', execution)
  end
  if status == 'queued' then
    return
  end
  local job = rq_job(id)
  if redis.call('PEXPIRE', job, math.max(1, ttl)) == 1 then
    redis.call('HSET', job, 'status', status)
  end
  if worker == '' then
    unfile(id, queue)
  end
  if status ~= 'canceled' then
    redis.call('ZADD', rq_queue(queue, status), ms(math.floor((now + ttl) / 1000)), job_of(id))
  end
end
