-- standing(active): the status of the run that a thread is at, and whether it is at work. Needs names.
--
-- The status is nil where there is no run, or it is gone. A queued run without a queue is not at work: it was left
-- behind by a process that ran it itself and died. One that waits for a time alone is: it comes back by itself.
-- Keys: run:<id>.
local function standing(active)
  if not active then
    return nil, false
  end
  local run = redis.call('HMGET', key('run', active), 'status', 'queue', 'asks')
  local busy = run[1] == 'running' or (run[1] == 'queued' and run[2] ~= '') or (run[1] == 'suspended' and run[3] == '0')
  return run[1] or nil, busy
end
