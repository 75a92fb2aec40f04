-- send: have a step performed by workers of another queue, once, however often and by whichever attempt it is asked.
--
-- ARGV[3] run id, ARGV[4] fence, ARGV[5] id of the run that is to perform the step, ARGV[6] step id, ARGV[7] queue,
-- ARGV[8] arguments as a checkpoint, ARGV[9] digest of the arguments, ARGV[10...] pairs of field and value of the
-- new run's hash.
-- Returns SENT (it is under way), DONE (its outcome is recorded), '!<status> <reason>' (it has come to nothing), or
-- FENCED (the attempt does not own the run).
-- A step that an attempt before this one has sent with other arguments is called off, and sent anew.
-- A run's field 'sends' is the number of remote steps that it has sent; 'again' of the new one, that somebody may have
-- begun the step before: it is the number of this sending, so that what each performer stamps comes after what those
-- before it have stamped.
-- Keys: run:<id>, checkpoints:<home>, those of remote, settle and ticket.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/remote
-- include: penstock.runtime.redis.scripts/clock
-- include: penstock.publisher/append
-- include: penstock.runtime.redis.scripts/emit
-- include: penstock.runtime.redis.scripts/ticket
-- include: penstock.runtime.redis.scripts/history
-- include: penstock.runtime.redis.scripts/facets
-- include: penstock.runtime.redis.scripts/feed as feed(emit_change)
-- include: penstock.runtime.redis.scripts/settle

local KEPT = 3600000 -- ms that the run of a remote step is kept at most: what it did is kept with its home

local caller, step, id = ARGV[3], ARGV[6], ARGV[5]
local run = fields_of(caller, 'fence', 'status', 'home', 'thread', 'own_thread', 'retention', 'entrypoint', 'keep',
  'durability')
if run.fence ~= ARGV[4] or run.status ~= 'running' then
  return 'FENCED'
end
local home = run.home or caller
if redis.call('HEXISTS', key('checkpoints', home), step) == 1 then
  return 'DONE'
end
local by = redis.call('HGET', key('remote', home), step)
if by and string.sub(by, 1, 1) == '!' then
  return by
end
local before = by and redis.call('HMGET', key('run', by), 'status', 'digest') or {}
if is_open_status(before[1]) and before[2] == ARGV[9] then
  redis.call('HSET', key('run', by), 'caller', caller)
  return 'SENT'
end
local again = redis.call('HEXISTS', key('checkpoints', home), '>' .. step) == 1
local number = redis.call('HINCRBY', key('run', home), 'sends', 1)
redis.call('HSET', key('remote', home), step, id)
redis.call('HSET', key('checkpoints', home), '>' .. step, ARGV[8])
if before[1] == 'running' then
  redis.call('HSETNX', key('run', by), 'cancel', 'sent anew')
  redis.call('PUBLISH', CONTROL, by)
elseif is_open_status(before[1]) then
  settle(by, 'cancelled', 'sent anew')
end
local record = { 'HSET', key('run', id), 'home', home, 'home_step', step, 'caller', caller, 'status', 'queued',
  'queue', ARGV[7], 'digest', ARGV[9], 'thread', run.thread or caller, 'entrypoint', run.entrypoint,
  'retention', ms(math.min(run.retention or RETENTION, KEPT)), 'created', NOW }
local others = { own_thread = run.thread and run.own_thread or '1', keep = run.keep, durability = run.durability }
for field, value in pairs(others) do
  record[#record + 1], record[#record + 2] = field, value
end
if again then
  record[#record + 1], record[#record + 2] = 'again', number
end
for at = 10, #ARGV do
  record[#record + 1] = ARGV[at]
end
redis.call(unpack(record))
offer(id, false)
return 'SENT'
