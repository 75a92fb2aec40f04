-- The thread of a run that was given none: its own, whose keys are made when somebody first needs them.
-- Needs names, clock and history.
--
-- lone(id, thread): the run by itself, and what its thread's history would hold, the newest last; nil where it is not
-- lone, or there is no such run.
-- Keys: run:<id> ('lone' until then), checkpoints:<id>.
local function lone(id, thread)
  local run = fields_of(id, 'lone', 'thread_key', 'entrypoint', 'metadata', 'created', 'status', 'finished', 'retention',
    'history', 'retention_failed')
  if run.lone ~= '1' or run.thread_key ~= thread then
    return nil
  end
  local told = { source = 'input', run = id, entrypoint = run.entrypoint, metadata = run.metadata }
  local found = { run = run, entries = { entry('1', '-1', '', told, run.created, '') }, values = {} }
  if run.status == 'completed' then
    local ended = redis.call('HMGET', key('checkpoints', id), 'saved', 'value', 'children')
    if ended[1] then
      found.values = { ended[1], ended[2] or '' }
      told.source = 'loop'
      found.entries[2] = entry('2', '0', '1', told, run.finished, '2', found.values)
    end
    found.children = ended[3]
  end
  found.head = #found.entries
  if run.history == '1' then
    found.entries = { found.entries[found.head] }
  end
  return found
end
