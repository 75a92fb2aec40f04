-- Runs that wait for a worker that has their code. Needs names, clock and ticket.
--
-- app_of(text): the digest of an app, and the versions of its entrypoints, if it has some: name -> { version, '1' where
-- runs are pinned to it }; '' stands for the entrypoints that have none of their own. They follow the digest as JSON.
-- knows(app, run): whether an app has what a run is to execute, 'e:<entrypoint>', 't:<task>' where it performs a remote
-- step, or 'p:<entrypoint>@<version>' where it is pinned, and the name of that; nil where nobody knows the app any more.
-- The app '' has everything.
-- park(id, name): sets a queued run aside that is on no queue any more; a worker that has the name finds it there.
-- Keys: app:<digest>; parked:<queue> (set of names), parked:<queue>:<name> (zset of run ids, by when they were
-- created); ready; run:<id> has the name in 'parked'.
local known = {}

local function app_of(text)
  local digest, versions = string.match(text, '^(%S*) (.*)$')
  return digest or text, versions and cjson.decode(versions)
end

local function knows(app, run)
  local name = run.task and 't:' .. run.task or 'e:' .. (run.entrypoint or '')
  if run.pin and not run.task then
    name = 'p:' .. run.entrypoint .. '@' .. run.version
  end
  if app == '' or known[name] or redis.call('SISMEMBER', key('app', app), name) == 1 then
    known[name] = true
    return true, name
  end
  if redis.call('EXISTS', key('app', app)) == 0 then
    return nil, name
  end
  return false, name
end

-- seldom
local function park(id, name)
  local run = redis.call('HMGET', key('run', id), 'queue', 'created')
  redis.call('SADD', key('parked', run[1]), name)
  redis.call('ZADD', key('parked', run[1] .. ':' .. name), run[2] or 0, id)
  redis.call('HSET', key('run', id), 'parked', name)
  redis.call('ZADD', READY, NOW, id)
end
