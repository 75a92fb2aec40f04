-- The thread of a run that was given none: its own, whose keys are made when somebody first needs them. Needs names,
-- clock and history.
--
-- lone(id, thread): the run by itself, and what its thread's history would hold, the newest last; nil where it is not
-- lone, or there is no such run.
-- Keys: run:<id> ('lone' until then), checkpoints:<id>.
local function lone(id, thread)
  local run = redis.call('HMGET', key('run', id), 'lone', 'thread_key', 'entrypoint', 'metadata', 'created',
    'status', 'finished', 'retention', 'history', 'retention_failed')
  if run[1] ~= '1' or run[2] ~= thread then
    return nil
  end
  run[8] = run[8] or RETENTION
  local told = { source = 'input', run = id, entrypoint = run[3], metadata = run[4] }
  local found = { run = run, kept_for = kept_for({ retention = run[8], retention_failed = run[10] }, run[6]),
    entries = { entry('1', '-1', '', told, run[5], '') }, values = {} }
  if run[6] == 'completed' then
    local ended = redis.call('HMGET', key('checkpoints', id), 'saved', 'value', 'children')
    if ended[1] then
      found.values = { ended[1], ended[2] or '' }
      told.source = 'loop'
      found.entries[2] = entry('2', '0', '1', told, run[7], '2', found.values)
    end
    found.children = ended[3]
  end
  found.head = #found.entries
  if run[9] == '1' then
    found.entries = { found.entries[found.head] }
  end
  return found
end
