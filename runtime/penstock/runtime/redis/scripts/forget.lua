-- Deletes a run that is over. Needs names, clock, ticket, facets and ended_lists.
--
-- forget(id, thread): tells whether it was deleted: it is over, and of this thread.
-- drop_keys(...): delete keys.
-- Keys: run:<id>, checkpoints:<id>, questions:<id>, events:<id>, rq:job:<id>, rq:finished/failed:<queue>, those of
-- list_names.

-- As DEL does, which apps have no right to.
local function drop_keys(...)
  for _, name in ipairs({ ... }) do
    redis.call('PEXPIRE', name, 0)
  end
end

local function forget(id, thread)
  local run = redis.call('HMGET', key('run', id), 'thread_key', 'status', 'queue', 'finished', 'retention',
    'entrypoint', 'facets', 'retention_failed', 'cause')
  if run[1] ~= thread or not run[4] then
    return false
  end
  list_names().unlist_ended({ status = run[2], queue = run[3], finished = run[4], retention = run[5],
    entrypoint = run[6], facets = run[7], retention_failed = run[8], cause = run[9] })
  if run[3] ~= '' then
    unfile(id, run[3])
    drop_keys(rq_job(id))
  end
  drop_keys(key('run', id), key('checkpoints', id), key('questions', id), key('events', id))
  return true
end
