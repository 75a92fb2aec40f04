-- The ticket of a run that is not queued. Needs names, clock, append, ticket and reopen.
--
-- requeued(id): lets a failed run go on whose ticket somebody has put back with RQ's tools, and tells whether it does.
-- What those tools wrote of a run that cannot go on so is put right again. A ticket that is there twice does nothing.
-- Keys: run:<id>, open:<facet>, thread:<key>, ready, those of reopen and ticket.
-- include: penstock.runtime.redis.scripts/reopen

local function requeued(id)
  local run = fields_of(id, 'status', 'queue', 'thread_key', 'home', 'thread', 'lone')
  local status, queue = run.status, run.queue
  if status == 'queued' or status == 'running' or not RQ_STATUS[status] or queue == '' then
    return false
  end
  redis.call('HSET', rq_job(id), 'data', BELL) -- RQ has compressed it
  local is_asked = status == 'failed' and not redis.call('ZSCORE', rq_queue(queue, 'failed'), job_of(id))
  if is_asked and not run.home and is_at(id, run.thread_key, run.lone) then
    reopen(id, run.thread_key, resumed_text(run.thread))
    status_to(id, status, 'queued')
    redis.call('ZADD', READY, NOW, id)
    redis.call('PERSIST', rq_job(id))
    return true
  end
  local ttl = status == 'suspended' and WAITING or math.min(ENDED, redis.call('PTTL', key('run', id)))
  show_ended(id, queue, '', '', RQ_STATUS[status], math.max(1, ttl))
  return false
end
