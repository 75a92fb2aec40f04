-- The end of a remote step, and of the runs that perform the steps of one that is over. Needs names, remote, clock,
-- ticket, history, whose thread_lists it calls, and settle.
--
-- come_home(id, run, status, reason): the run of a remote step is over, its caller may go on; run: what its hash says.
-- call_off(home): the remote steps of a run that is over are not waited for any more.
-- give_up(home, step, by): one remote step that is not waited for any more.
-- Keys: remote:<home>, checkpoints:<home>, run:<id>, timers, control; those of thread_lists, ticket
-- and settle.
local CROWD = 32 -- remote steps at work from which on those that end wake their caller together

-- Where a step was begun and has no value, its arguments stay: whoever performs it again has to look at what is
-- recorded below it, and to take back what it has said.
local function forget_arguments(id, home, step, reason)
  if (redis.call('HGET', key('remote', home), step) or id) ~= id then
    return
  end
  if reason == '' or redis.call('HEXISTS', key('run', id), 'fence') == 0 then
    redis.call('HDEL', key('checkpoints', home), '>' .. step)
  end
end

-- In a crowd recovery wakes the caller, about once a second, as it is replayed from its first line each time.
local function come_home(id, run, status, reason)
  local home, step, caller = run.home, run.home_step, run.caller
  forget_arguments(id, home, step, reason)
  if redis.call('HGET', key('remote', home), step) ~= id then
    return
  end
  if status == 'completed' then
    redis.call('HDEL', key('remote', home), step)
  else
    redis.call('HSET', key('remote', home), step, '!' .. status .. ' ' .. reason)
  end
  local waits = fields_of(caller, 'status', 'thread_key', 'listed')
  if waits.status == 'running' then
    tell_news(caller)
  end
  if waits.status ~= 'suspended' then
    return
  end
  if redis.call('HLEN', key('remote', home)) >= CROWD then
    redis.call('ZADD', TIMERS, NOW, caller)
    return
  end
  redis.call('ZREM', TIMERS, caller)
  status_to(caller, 'suspended', 'queued')
  offer(caller, true)
  if waits.listed then
    thread_lists().show_thread(waits.thread_key, 'busy')
  end
end

-- One remote step that is not waited for any more.
local function give_up(home, step, by)
  redis.call('HDEL', key('remote', home), step)
  local status = redis.call('HGET', key('run', by), 'status')
  if status == 'running' then
    redis.call('HSETNX', key('run', by), 'cancel', 'its caller has given it up')
    redis.call('PUBLISH', CONTROL, by)
  elseif is_open_status(status) then
    settle(by, 'cancelled', 'its caller has given it up')
  end
end

-- The remote steps of a run that is over are not waited for any more.
local function call_off(home)
  local remote = redis.call('HVALS', key('remote', home))
  if #remote == 0 then
    return
  end
  redis.call('PEXPIRE', key('remote', home), 0) -- as DEL does, which apps have no right to
  for _, id in ipairs(remote) do
    local status = redis.call('HGET', key('run', id), 'status')
    if status == 'running' then
      redis.call('HSETNX', key('run', id), 'cancel', 'its run is over')
      redis.call('PUBLISH', CONTROL, id)
    elseif is_open_status(status) then
      settle(id, 'cancelled', 'its run is over')
    end
  end
end
