-- Remote steps: steps of a run that workers of another queue perform, each as a run of its own. Needs names.
--
-- The run whose step it is, is its home: what it records and says goes into the checkpoints and the stream of that.
-- Keys: remote:<home> (hash: step id -> id of the run that performs it, or '!<status> <reason>' of one that has come
-- to nothing), run:<home>, run:<id> (home, home_step, caller: the run that waits for it).
local OPEN = { queued = true, running = true, suspended = true }

local function is_open(id)
  return OPEN[redis.call('HGET', key('run', id), 'status') or ''] or false
end

-- Tells whether a run is the one by which its home, which is not over, expects a step to be performed.
local function is_expected(id, home, step)
  return is_open(home) and redis.call('HGET', key('remote', home), step) == id
end
