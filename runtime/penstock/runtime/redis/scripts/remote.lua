-- Remote steps: steps of a run that workers of another queue perform, each as a run of its own. Needs names.
--
-- The run whose step it is, is its home: what it records and says goes into the checkpoints and the stream of that.
-- Keys: remote:<home> (hash: step id -> id of the run that performs it, or '!<status> <reason>' of one that has come
-- to nothing), run:<home>, run:<id> (home, home_step, caller: the run that waits for it).
local function is_open_status(status)
  return status == 'queued' or status == 'running' or status == 'suspended'
end

local function is_open(id)
  return is_open_status(redis.call('HGET', key('run', id), 'status'))
end

-- Tells whether a run is the one by which its home, which is not over, expects a step to be performed.
-- seldom
local function is_expected(id, home, step)
  return is_open(home) and redis.call('HGET', key('remote', home), step) == id
end
