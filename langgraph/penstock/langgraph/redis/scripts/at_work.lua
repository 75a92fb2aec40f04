-- The run of a thread which workers execute a graph on. Needs KEYS[1], the hash of the thread.
--
-- at_work(id): the id of the run that is at work, nil for none; id is the thread's.
-- is_open(id): whether a run is at work, or suspended: it may be rolled back.
-- Keys: KEYS[1] graph:<thread>, thread:<thread>, run:<id>.
local function run_on(id)
  if redis.call('HEXISTS', KEYS[1], 'hosted') == 0 then
    return nil
  end
  local prefix, thread = string.match(KEYS[1], '^(.*):graph:([^:]*)$')
  local run = redis.call('HGET', prefix .. ':thread:' .. thread, 'run') or id
  local at = redis.call('HMGET', prefix .. ':run:' .. run, 'status', 'queue', 'thread_key')
  if at[3] == thread then
    return run, at[1], at[1] == 'running' or (at[1] == 'queued' and at[2] ~= '')
  end
end

local function at_work(id)
  local run, _, is_busy = run_on(id)
  return is_busy and run or nil
end

local function is_open(id)
  local _, status, is_busy = run_on(id)
  return is_busy or status == 'suspended'
end
