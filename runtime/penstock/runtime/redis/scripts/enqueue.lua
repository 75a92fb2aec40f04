-- enqueue: create a run and queue it, once, however often the call is sent.
--
-- ARGV[3] run id, ARGV[4] thread key, ARGV[5] on_busy (queue, reject, interrupt, rollback). If the number of a checkpoint
-- follows, the thread goes back to that first, unless it is there; a busy thread is rejected then, unless it is there, no
-- run waits for its turn, and the run at work is interrupted or rolled back. So it is with 'fork',
-- of a run that forks another one, also if the thread is there; if '<run id> <status> <epoch>' of the other run follow,
-- only where that still is as it was read.
-- ARGV[6] what the caller knows already: 'n' the id is new, so that nobody else can know it or its own thread,
-- 'a' whether a live worker announces the entrypoint; or both, or '',
-- ARGV[7] digests that what is asked for may be known by (the first is kept), ARGV[8] input as a checkpoint,
-- ARGV[9] context or '',
-- ARGV[10] run.queued event, ARGV[11] number of checkpoints that it begins with, then pairs of field and text of
-- these, then pairs of field and value of the run's hash (queue, entrypoint, created_at, thread if it was given one;
-- others only where they differ from what is said of a run without them).
-- Returns { word, thread id or the id of the run at work, 1 if a live worker announces the entrypoint, '' also where
-- the caller knows };
-- the word is created, exists, conflict (the id has another input), busy (rejected), unknown (no such checkpoint) or
-- changed (the other run is not as it was read).
-- A run that is given no thread is alone on one of its own, which has no keys as long as nobody asks for it; if a
-- thread of its id has a record, it is on that.
-- Keys: run:<id>, checkpoints:<id>, events:<id>, channel:<id>, thread:<key>, waiting:<key>, entrypoints, webhooks,
-- and those of ancestor, delay, facets, feed, standing, separate and settle.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/remote
-- include: penstock.runtime.redis.scripts/clock
-- include: penstock.publisher/append
-- include: penstock.runtime.redis.scripts/emit
-- include: penstock.runtime.redis.scripts/ticket
-- include: penstock.runtime.redis.scripts/facets
-- include: penstock.runtime.redis.scripts/feed as feed(emit_change)
-- include: penstock.runtime.redis.scripts/history
-- include: penstock.runtime.redis.scripts/separate as separating(place_of)
-- include: penstock.runtime.redis.scripts/ancestor as ancestry(ancestor)
-- include: penstock.runtime.redis.scripts/settle as settling(settle_here, start_next)
-- include: penstock.runtime.redis.scripts/delay as delaying(offer_when_due)
-- include: penstock.runtime.redis.scripts/standing

local id, thread = ARGV[3], ARGV[4]
local on_busy, back = string.match(ARGV[5], '^(%a+) ?(.*)$')
local has_webhooks = false
if redis.call('EXISTS', key('run', id), ARGV[1] .. ':webhooks') > 0 then -- one command for an ordinary run
  local known = redis.call('HMGET', key('run', id), 'digest', 'thread')
  if known[1] then
    return { string.find(ARGV[7], known[1], 1, true) and 'exists' or 'conflict', known[2] or id, '1' }
  end
  has_webhooks = redis.call('EXISTS', ARGV[1] .. ':webhooks') == 1
end

local given = {}
local fields = 12 + 2 * tonumber(ARGV[11])
for each = fields, #ARGV, 2 do
  given[ARGV[each]] = ARGV[each + 1]
end
local is_own = not given.thread

-- seldom
local function place_at()
  return is_own and place(thread) or separating().place_of(given.thread, thread)
end

-- seldom
local function begin_at(at)
  if is_own and not at.listed then
    begin(thread, at, id, given, 'id', id, 'ttl', given.retention or RETENTION)
  else
    begin(thread, at, id, given, 'id', given.thread or id)
  end
  return at.head, at.step
end

-- The thread is as it was at a checkpoint; returns the word of a refusal.
-- seldom
local function go_back(at)
  local number, other, left, epoch = string.match(back, '^(%d+) ?([%w_-]*) ?(%a*) ?(%d*)$')
  if other ~= '' then
    local known = fields_of(other, 'status', 'epoch')
    if known.status ~= left or (known.epoch or '') ~= epoch then
      return 'changed'
    end
  end
  local step, values = ancestry().ancestor(thread, at, number)
  if not step then
    return 'unknown'
  end
  redis.call(unpack(remember(thread, at, { source = 'fork', parent = number, step = step, entrypoint = given.entrypoint,
    metadata = given.metadata, keep = given.history or HISTORY }, values)))
end

local is_new = string.find(ARGV[6], 'n', 1, true)
local at = is_own and is_new and {} or place_at()
local is_alone = is_own and not at.head and not at.listed
local active = at.run
local status, busy = standing(active)
local goes_back = back ~= '' and (on_busy == 'fork' or back ~= at.head)
-- A run that waits begins where the one before it ends, not where that has begun.
local is_late = back ~= '' and (on_busy == 'queue' or redis.call('LLEN', key('waiting', thread)) > 0)
if busy and (goes_back or on_busy == 'reject' or is_late) then
  return { 'busy', active, '1' }
end
local refusal = goes_back and go_back(at)
if refusal then
  return { refusal, '', '1' }
end
-- The run that the thread was at may be gone, and others wait behind it: then the first of those is next.
local is_gone = not status and not is_alone and redis.call('LLEN', key('waiting', thread)) > 0

local run = { 'HSET', key('run', id), 'status', 'queued', 'digest', string.match(ARGV[7], '^%S*'), 'thread_key', thread,
  'created', NOW, 'seq', begin_events(key('events', id), key('channel', id), ARGV[10]) }
for each = fields, #ARGV, 2 do
  run[#run + 1], run[#run + 2] = ARGV[each], ARGV[each + 1]
end
if has_webhooks and not (given.hooks or given.op) then
  given.hooks = 'all'
  run[#run + 1], run[#run + 2] = 'hooks', 'all'
end
if not busy and not is_gone then
  if is_alone then
    run[#run + 1], run[#run + 2] = 'lone', '1'
  else
    local head, step = begin_at(at)
    run[#run + 1], run[#run + 2], run[#run + 3], run[#run + 4] = 'checkpoint', head, 'step', step
  end
end
if given.delay then
  given.wakes = ms(now + tonumber(given.delay))
  run[#run + 1], run[#run + 2] = 'wakes', given.wakes
end
redis.call(unpack(run))
for first = 12, fields - 1, 1000 do
  redis.call('HSET', key('checkpoints', id), unpack(ARGV, first, math.min(first + 999, fields - 1)))
end
redis.call('HSET', key('checkpoints', id), 'input', ARGV[8])
if ARGV[9] ~= '' then
  redis.call('HSET', key('checkpoints', id), 'context', ARGV[9])
end
given.created = NOW
if not given.op then -- else it is in no list of runs
  list_open(id, given)
end

local function created()
  if given.feed or given.hooks then
    feed().emit_change(id, given, 'run.queued', 'queued', given)
  end
  local until_when = not string.find(ARGV[6], 'a', 1, true)
    and redis.call('ZSCORE', ARGV[1] .. ':entrypoints', given.entrypoint)
  return { 'created', '', tonumber(until_when or 0) > now and '1' or '' }
end

if is_gone then
  redis.call('RPUSH', key('waiting', thread), id)
  redis.call('ZADD', READY, NOW, id)
  settling().start_next(thread)
  return created()
end
if busy then
  redis.call('RPUSH', key('waiting', thread), id)
  redis.call('ZADD', READY, NOW, id)
  if on_busy == 'interrupt' or on_busy == 'rollback' then
    -- Who wants it rolled back has it so, whoever else asks it to stop.
    redis.call(on_busy == 'rollback' and 'HSET' or 'HSETNX', key('run', active), 'cancel', on_busy)
    if status == 'running' then
      redis.call('PUBLISH', CONTROL, active)
    else
      settling().settle_here(active, 'cancelled', on_busy)
    end
  end
  return created()
end
if status == 'suspended' or status == 'queued' then
  -- What a graph has stored of it is there already.
  local takes_back = on_busy == 'rollback' and redis.call('HEXISTS', key('run', active), 'graph') == 1
  settling().settle_here(active, 'cancelled', takes_back and 'rollback' or 'superseded')
end
local ticket = { given.queue, given.entrypoint, given.created_at }
if given.wakes then
  delaying().offer_when_due(id, given, ticket)
else
  offer(id, false, ticket)
end
return created()
