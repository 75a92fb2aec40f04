-- Failures of the same cause. Needs names and clock.
--
-- count_cause(id, run, reason, digest, task, class, place): a run has failed so, which counts if it is in the lists of
-- runs; run: entrypoint, retention_failed, home, op. The digest stands for its entrypoint, the task that failed, the
-- class of the error, and the function in which it was raised.
-- Keys: run:<id>, causes (zset of digests by when the last of their runs is gone), cause:<digest> (hash: entrypoint,
-- task, error, place, count, first, last; run and reason of the last).
local function count_cause(id, run, reason, digest, task, class, place)
  if run.home or run.op then
    return
  end
  local causes, cause, ttl = ARGV[1] .. ':causes', key('cause', digest), kept_for(run, 'failed')
  redis.call('HSET', key('run', id), 'cause', digest)
  redis.call('HSET', cause, 'entrypoint', run.entrypoint, 'task', task,
    'error', class, 'place', place, 'last', NOW, 'run', id, 'reason', reason)
  redis.call('HSETNX', cause, 'first', NOW)
  redis.call('HINCRBY', cause, 'count', 1)
  redis.call('ZREMRANGEBYSCORE', causes, '-inf', NOW)
  redis.call('ZADD', causes, ms(math.max(now + ttl, tonumber(redis.call('ZSCORE', causes, digest) or 0))), digest)
  redis.call('PEXPIRE', cause, ms(math.max(ttl, redis.call('PTTL', cause))))
  redis.call('PEXPIRE', causes, ms(math.max(ttl, redis.call('PTTL', causes))))
end
