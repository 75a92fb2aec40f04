-- claim(id, nonce, worker, lease): take the lease of a queued run. Needs names, clock, bell and remote.
--
-- Returns the fence '<epoch>.<nonce>', or nil where the run is not queued, or not the one that its thread is
-- at, or that its home expects. A claim forgets whether the run was isolated, and what was beside it (recover). The
-- nonce makes a fence unique even where a failover has set the epoch back.
-- claimed(id, fence): what an attempt starts from; its last item is the seq of the newest event. Beside its
-- checkpoints it gets what nested entrypoints have kept on the thread: 'children' (their names, as JSON) and
-- 'previous^<name>' of each.
-- The run of a remote step gets, of its home, the config, the context, what the thread has saved, the arguments as
-- its input, and what is recorded of the step and below it where somebody has begun it before.
-- Keys: run:<id>, thread:<key>, checkpoints:<id>, events:<id>, leases, ready, runs:<status>; of a remote step those of
-- remote, thread:<key>, checkpoints:<home>, events:<home>; those of bell.
local GONE = 60000 -- ms that nobody's run is still kept

-- Tells whether it is a queued run's turn: it is the one that its thread is at, or that its home expects.
local function may_begin(id)
  local run = redis.call('HMGET', key('run', id), 'thread_key', 'home', 'home_step')
  if run[2] then
    return is_expected(id, run[2], run[3])
  end
  return redis.call('HGET', key('thread', run[1] or ''), 'run') == id
end

local function claim(id, nonce, worker, lease)
  local run = redis.call('HMGET', key('run', id), 'status', 'queue', 'thread_key', 'home', 'home_step', 'epoch',
    'started', 'parked', 'isolated', 'company', 'reserved')
  if run[1] ~= 'queued' then
    return nil
  end
  if run[4] then
    if not is_expected(id, run[4], run[5]) then
      redis.call('ZREM', READY, id)
      redis.call('PEXPIRE', key('run', id), GONE)
      redis.call('PEXPIRE', rq_job(id), GONE)
      return nil
    end
  elseif redis.call('HGET', key('thread', run[3] or ''), 'run') ~= id then
    return nil
  end
  local epoch = string.format('%.0f', (run[6] or 0) + 1)
  local fence = epoch .. '.' .. nonce
  status_to(id, 'queued', 'running', run[4], 'epoch', epoch, 'fence', fence, 'batch', 0, 'worker', worker,
    'started', run[7] or ms(now))
  redis.call('ZREM', READY, id)
  redis.call('ZADD', LEASES, ms(now + lease), id)
  unpark(id, run[2], run[8])
  if run[9] or run[10] or run[11] then
    redis.call('HDEL', key('run', id), 'isolated', 'company', 'reserved')
  end
  show_started(id, run[2], worker, fence)
  return fence
end

local function newest(id)
  local entry = redis.call('XREVRANGE', key('events', id), '+', '-', 'COUNT', 1)[1]
  return entry and string.match(entry[1], '^%d+') or '0'
end

-- What is recorded of a run, all of it or what `is_wanted` tells of; not the arguments of remote steps that are not
-- under way: those are to be sent, again or for the first time by this attempt.
local function recorded(id, is_wanted)
  if redis.call('HEXISTS', key('run', id), 'sends') == 0 then
    return redis.call('HGETALL', key('checkpoints', id)) -- as mostly: thousands of steps are not looked at
  end
  local away, found = {}, {}
  local remote = redis.call('HGETALL', key('remote', id))
  for at = 1, #remote, 2 do
    away['>' .. remote[at]] = is_open(remote[at + 1])
  end
  local all = redis.call('HGETALL', key('checkpoints', id))
  for at = 1, #all, 2 do
    local name = all[at]
    if (string.sub(name, 1, 1) ~= '>' or away[name]) and (not is_wanted or is_wanted(name)) then
      found[#found + 1], found[#found + 2] = name, all[at + 1]
    end
  end
  return found
end

local function claimed_remote(id, fence, home, step)
  local fields = redis.call('HGETALL', key('run', id))
  local of_home = redis.call('HMGET', key('run', home), 'config', 'thread_key')
  fields[#fields + 1], fields[#fields + 2] = 'config', of_home[1] or ''
  local given = redis.call('HMGET', key('checkpoints', home), '>' .. step, 'context', 'accepted context')
  local began = string.match(fence, '^%d+') ~= '1' or redis.call('HEXISTS', key('run', id), 'again') == 1
  local checkpoints = began and recorded(home, function(name)
    return name == step or string.sub(name, 1, #step + 1) == step .. '/'
      or string.sub(name, 1, #step + 1) == ':' .. step or string.sub(name, 1, #step + 1) == '@' .. step
      or string.sub(name, 1, #step + 2) == '>' .. step .. '/'
      or string.sub(name, 1, #step + 3) == '!^' .. step .. '/'
  end) or {}
  checkpoints[#checkpoints + 1], checkpoints[#checkpoints + 2] = 'input', given[1] or ''
  local context = given[3] or given[2]
  if context then
    checkpoints[#checkpoints + 1], checkpoints[#checkpoints + 2] = 'context', context
  end
  local saved = redis.call('HGET', key('thread', of_home[2] or ''), 'saved')
  return { id, fence, fields, checkpoints, saved or '', newest(home), '' }
end

local function claimed(id, fence)
  local run = redis.call('HMGET', key('run', id), 'thread_key', 'home', 'home_step')
  if run[2] then
    return claimed_remote(id, fence, run[2], run[3])
  end
  local record = key('thread', run[1])
  local kept = redis.call('HMGET', record, 'saved', 'children', 'value')
  local checkpoints = recorded(id)
  for _, name in ipairs(kept[2] and cjson.decode(kept[2]) or {}) do
    checkpoints[#checkpoints + 1] = 'previous^' .. name
    checkpoints[#checkpoints + 1] = redis.call('HGET', record, 'saved:' .. name) or 'null'
  end
  if kept[2] then
    checkpoints[#checkpoints + 1] = 'children'
    checkpoints[#checkpoints + 1] = kept[2]
  end
  return { id, fence, redis.call('HGETALL', key('run', id)), checkpoints, kept[1] or '',
    newest(id), kept[3] or '' }
end
