-- Runs that wait for a worker that has their code. Needs names, clock and ticket.
--
-- knows(app, entrypoint, task): whether an app has what a run is to execute, 'e:<entrypoint>', or 't:<task>' where it
-- performs a remote step, and the name of that; nil where nobody knows the app any more. The app '' has everything.
-- park(id, name): sets a queued run aside that is on no queue any more; a worker that has the name finds it there.
-- Keys: app:<digest>; parked:<queue> (set of names), parked:<queue>:<name> (zset of run ids, by when they were
-- created); ready; run:<id> has the name in 'parked'.
local known = {}

local function knows(app, entrypoint, task)
  local name = task and 't:' .. task or 'e:' .. (entrypoint or '')
  if app == '' or known[name] or redis.call('SISMEMBER', key('app', app), name) == 1 then
    known[name] = true
    return true, name
  end
  if redis.call('EXISTS', key('app', app)) == 0 then
    return nil, name
  end
  return false, name
end

local function park(id, name)
  local run = redis.call('HMGET', key('run', id), 'queue', 'created')
  redis.call('SADD', key('parked', run[1]), name)
  redis.call('ZADD', key('parked', run[1] .. ':' .. name), run[2] or 0, id)
  redis.call('HSET', key('run', id), 'parked', name)
  redis.call('ZADD', READY, NOW, id)
end
