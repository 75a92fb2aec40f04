-- Gives queued runs to a worker. Needs names, clock, ticket and remote.
--
-- claim(id, run, nonce, worker, versions): claim a queued run; the table changes as the hash does.
-- The first one notes the version of its code, and whether it is pinned to that, if the worker's app has versions.
-- note_claims(worker, lease): give leases to the runs that were claimed in this call, and note them in RQ's books.
-- Returns the fence '<epoch>.<nonce>', or nil where the run is not queued, or not the one that its thread is
-- at, or that its home expects. A claim forgets whether the run was isolated, and what was beside it (recover). The
-- nonce makes a fence unique even where a failover has set the epoch back.
-- claimed(id, run): what an attempt starts from; its last item is the seq of the newest event. Beside its
-- checkpoints it gets what nested entrypoints have kept on the thread: 'children' (their names, as JSON) and
-- 'previous^<name>' of each. Its hash gets 'hosted' where a graph is executed on its thread.
-- The run of a remote step gets, of its home, the config, the context, what the thread has saved, the arguments as
-- its input, and what is recorded of the step and below it where somebody has begun it before.
-- Keys: run:<id>, thread:<key>, checkpoints:<id>, leases, ready, open:<facet>; of a remote step those of
-- remote, thread:<key>, checkpoints:<home>; graph:<key>; those of ticket.
local GONE = 60000 -- ms that nobody's run is still kept

-- What an attempt needs of the hash, as Redis would give it.
local function needed(run, ...)
  local all, size = {}, 0
  for _, field in ipairs({ 'status', 'entrypoint', 'queue', 'created', 'updated', 'epoch', 'thread', 'lone', 'checkpoint', 'step',
    'attempt', 'config', 'metadata', 'durability', 'keep', 'isolated', 'cancel', 'hosted', 'version', ... }) do
    if run[field] then
      all[size + 1], all[size + 2], size = field, run[field], size + 2
    end
  end
  return all
end

-- What a run gets of its thread; read once, and kept in the run's table under a name that no field has.
local function of_thread(run)
  if run.lone == '1' then
    return {}
  elseif not run['thread:'] then
    local found = redis.call('HMGET', key('thread', run.thread_key or ''), 'run', 'saved', 'children', 'value')
    run['thread:'] = { run = found[1], saved = found[2], children = found[3], value = found[4] }
    run.hosted = redis.call('HGET', key('graph', run.thread_key or ''), 'hosted') or nil
  end
  return run['thread:']
end

-- Tells whether it is a queued run's turn: it is the one that its thread is at, or that its home expects.
local function may_begin(id, run)
  if run.home then
    return is_expected(id, run.home, run.home_step)
  end
  return run.lone == '1' or of_thread(run).run == id
end

local begun = {}

local function claim(id, run, nonce, worker, versions)
  if run.status ~= 'queued' then
    return nil
  end
  if not may_begin(id, run) then
    if run.home then -- nobody expects it, and nobody will
      redis.call('ZREM', READY, id)
      redis.call('PEXPIRE', key('run', id), GONE)
      redis.call('PEXPIRE', rq_job(id), GONE)
    end
    return nil
  end
  if not run.queue then
    error('a run without a queue') -- before anything is written, as nobody could give it a lease
  end
  local queue, parked = run.queue, run.parked
  local is_marked = run.isolated or run.company or run.reserved
  local epoch = string.format('%.0f', (run.epoch or 0) + 1)
  local changed = { 'epoch', epoch, 'fence', epoch .. '.' .. nonce, 'worker', worker, 'started', run.started or NOW }
  if run.batch then
    changed[9], changed[10] = 'batch', '0'
  end
  local version = versions and not (run.started or run.home) and (versions[run.entrypoint] or versions[''])
  if version then
    run.version, run.pin = version[1], version[2]
    changed[#changed + 1], changed[#changed + 2] = 'version', version[1]
    if run.pin then
      changed[#changed + 1], changed[#changed + 2] = 'pin', '1'
    end
  end
  status_to(id, 'queued', 'running', unpack(changed))
  run.status, run.updated, run.epoch, run.fence = 'running', NOW, epoch, changed[4]
  run.isolated, run.company, run.reserved, run.parked = nil
  begun[#begun + 1] = { id, queue, run.fence }
  if parked then
    unpark(id, queue, parked)
  end
  if is_marked then
    redis.call('HDEL', key('run', id), 'isolated', 'company', 'reserved')
  end
  show_started(id, queue, worker, run.fence)
  return run.fence
end

local function note_claims(worker, lease)
  local idle, leased, until_when = { 'ZREM', READY }, { 'ZADD', LEASES }, ms(now + lease)
  for _, each in ipairs(begun) do
    idle[#idle + 1], leased[#leased + 1], leased[#leased + 2] = each[1], until_when, each[1]
  end
  if begun[1] then
    redis.call(unpack(leased))
    redis.call(unpack(idle))
    list_started(worker, begun)
  end
end

-- seldom
local function recorded_of_sender(id, is_wanted)
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

-- What is recorded of a run, all of it or what `is_wanted` tells of; not the arguments of remote steps that are not
-- under way: those are to be sent, again or for the first time by this attempt.
local function recorded(id, sends, is_wanted)
  if not sends then
    return redis.call('HGETALL', key('checkpoints', id)) -- as mostly: thousands of steps are not looked at
  end
  return recorded_of_sender(id, is_wanted)
end

-- Tells whether of two steps one is the other, or was called in it.
local function is_beside(one, other)
  local shorter = math.min(#one, #other)
  return string.sub(one .. '/', 1, shorter + 1) == string.sub(other .. '/', 1, shorter + 1)
end

-- seldom
local function claimed_remote(id, run)
  local home, step = run.home, run.home_step
  local of_home = redis.call('HMGET', key('run', home), 'config', 'thread_key', 'sends', 'seq')
  run.config = of_home[1]
  local given = redis.call('HMGET', key('checkpoints', home), '>' .. step, 'context', 'accepted context',
    'trace')
  local checkpoints = (run.epoch ~= '1' or run.again) and recorded(home, of_home[3], function(name)
    return name == step or string.sub(name, 1, #step + 1) == step .. '/'
      or string.sub(name, 1, #step + 1) == ':' .. step or string.sub(name, 1, #step + 1) == '@' .. step
      or string.sub(name, 1, #step + 2) == '>' .. step .. '/'
      or string.sub(name, 1, #step + 3) == '!^' .. step .. '/'
      or string.sub(name, 1, #step + 2) == '=' .. step .. '/'
      or string.sub(name, 1, 2) == '==' and is_beside(string.sub(name, 3), step)
  end) or {}
  checkpoints[#checkpoints + 1], checkpoints[#checkpoints + 2] = 'input', given[1] or ''
  local context = given[3] or given[2]
  if context then
    checkpoints[#checkpoints + 1], checkpoints[#checkpoints + 2] = 'context', context
  end
  if given[4] then
    checkpoints[#checkpoints + 1], checkpoints[#checkpoints + 2] = 'trace', given[4]
  end
  local saved = redis.call('HGET', key('thread', of_home[2] or ''), 'saved')
  local fields = needed(run, 'home', 'home_step', 'task', 'digest', 'again', 'own_thread')
  return { id, run.fence, fields, checkpoints, saved or '', of_home[4] or '0', '' }
end

local function claimed(id, run)
  if run.home then
    return claimed_remote(id, run)
  end
  local kept, checkpoints = of_thread(run), recorded(id, run.sends)
  for _, name in ipairs(kept.children and cjson.decode(kept.children) or {}) do
    checkpoints[#checkpoints + 1] = 'previous^' .. name
    checkpoints[#checkpoints + 1] = redis.call('HGET', key('thread', run.thread_key), 'saved:' .. name) or 'null'
  end
  if kept.children then
    checkpoints[#checkpoints + 1] = 'children'
    checkpoints[#checkpoints + 1] = kept.children
  end
  return { id, run.fence, needed(run), checkpoints, kept.saved or '', run.seq or '0', kept.value or '' }
end
