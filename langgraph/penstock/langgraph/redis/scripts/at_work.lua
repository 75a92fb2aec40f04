-- The run that is at work on a thread which workers execute a graph on. Needs KEYS[1], the hash of the thread.
--
-- at_work(id): the id of that run, nil for none; id is the thread's.
-- Keys: KEYS[1] graph:<thread>, thread:<thread>, run:<id>.
local function at_work(id)
  if redis.call('HEXISTS', KEYS[1], 'hosted') == 0 then
    return nil
  end
  local prefix, thread = string.match(KEYS[1], '^(.*):graph:([^:]*)$')
  local run = redis.call('HGET', prefix .. ':thread:' .. thread, 'run') or id
  local at = redis.call('HMGET', prefix .. ':run:' .. run, 'status', 'queue', 'thread_key')
  local is_busy = at[1] == 'running' or (at[1] == 'queued' and at[2] ~= '')
  return at[3] == thread and is_busy and run or nil
end
