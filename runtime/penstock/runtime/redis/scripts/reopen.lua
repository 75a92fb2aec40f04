-- A run that waited or is over goes on. Needs names, clock, append and bell.
--
-- reopen(id, thread, event): keeps all it has for as long as it is open again, and says so in its stream.
-- requeued(id): lets a failed run go on whose ticket somebody has put back with RQ's tools; tells whether it does. What
-- RQ's tools have said of a run that cannot go on so, is put right again.
-- Keys: run:<id>, checkpoints:<id>, questions:<id>, events:<id>, channel:<id>, thread:<key>, history:<key>, timers,
-- those of bell.
local function reopen(id, thread, event)
  for _, kind in ipairs({ 'run', 'checkpoints', 'questions', 'events' }) do
    redis.call('PERSIST', key(kind, id))
  end
  redis.call('PERSIST', key('thread', thread))
  redis.call('PERSIST', key('history', thread))
  redis.call('HDEL', key('run', id), 'finished', 'reason', 'cancel')
  redis.call('HSET', key('run', id), 'crashes', 0, 'deaths', 0, 'alone', 0, 'lonely', 0)
  redis.call('ZREM', TIMERS, id)
  append_texts(key('events', id), key('channel', id), 0, { event, '' })
end

local function requeued(id)
  local run = redis.call('HMGET', key('run', id), 'status', 'queue', 'thread_key', 'home', 'thread', 'own_thread')
  local status, queue, thread = run[1], run[2], run[3]
  if status == 'queued' or status == 'running' or not RQ_STATUS[status] or queue == '' then
    return false
  end
  redis.call('HSET', rq_job(id), 'data', bell_of(id)) -- RQ has compressed it
  local is_asked = status == 'failed' and not redis.call('ZSCORE', rq_queue(queue, 'failed'), job_of(id))
  if is_asked and not run[4] and redis.call('HGET', key('thread', thread), 'run') == id then
    local named = run[6] ~= '1' and ',"thread":' .. cjson.encode(run[5]) or ''
    reopen(id, thread, '{"mode":"run.resumed","data":{"interrupts":[]}' .. named
      .. ',"time":' .. string.format('%.3f', now / 1000) .. '}')
    status_to(id, status, 'queued')
    redis.call('ZADD', READY, ms(now), id)
    redis.call('PERSIST', rq_job(id))
    return true
  end
  local ttl = status == 'suspended' and WAITING or redis.call('PTTL', key('run', id))
  show_ended(id, queue, '', '', RQ_STATUS[status], math.max(1, ttl))
  return false
end
