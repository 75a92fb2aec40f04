-- Deletes a run that is over. Needs names, clock, ticket, facets and ended_lists.
--
-- forget(id, thread): tells whether it was deleted: it is over, and of this thread.
-- drop_keys(...): delete keys.
-- Keys: run:<id>, checkpoints:<id>, questions:<id>, legs:<id>, events:<id>, rq:job:<id>, rq:finished/failed:<queue>, those of
-- list_names.

-- As DEL does, which apps have no right to.
local function drop_keys(...)
  for _, name in ipairs({ ... }) do
    redis.call('PEXPIRE', name, 0)
  end
end

local function forget(id, thread)
  local run = fields_of(id, 'thread_key', 'status', 'queue', 'finished', 'retention', 'entrypoint', 'facets',
    'retention_failed', 'cause', 'op', 'legs')
  if run.thread_key ~= thread or not run.finished then
    return false
  end
  if not run.op then
    list_names().unlist_ended(run)
  end
  if run.queue ~= '' then
    unfile(id, run.queue)
    drop_keys(rq_job(id))
  end
  drop_keys(key('run', id), key('checkpoints', id), key('questions', id), key('events', id))
  if run.legs then
    drop_keys(key('legs', id))
  end
  return true
end
