-- update: give a thread values, as if its entrypoint had returned them; what is pending on it ends.
--
-- ARGV[3] thread key, ARGV[4] thread id, ARGV[5] nonce, ARGV[6] number of the checkpoint to go on from ('' or the
-- head: the head), ARGV[7] what is saved ('' to let the values be and cancel what is pending), ARGV[8] the value
-- where that is another, ARGV[9] entrypoint, ARGV[10] metadata, ARGV[11] how many checkpoints to keep, ARGV[12]
-- retention of a thread,
-- ARGV[13] run that the thread is at as far as the caller knows, ARGV[14] outcome that completes it, if it is pending.
-- Returns { OK, number of the new checkpoint }, { BUSY, run id }, { UNKNOWN, '' } (no such checkpoint),
-- { MOVED, '' } where the thread is at another run, or { GRAPH, what says so } where a graph is executed on it.
-- A run that waits or failed is completed by the values; from another checkpoint than the head, it is cancelled.
-- Keys: graph:<key>, those of ancestor, thread_update, thread_lists, separate, standing and settle.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/remote
-- include: penstock.runtime.redis.scripts/clock
-- include: penstock.publisher/append
-- include: penstock.runtime.redis.scripts/emit
-- include: penstock.runtime.redis.scripts/ticket
-- include: penstock.runtime.redis.scripts/history
-- include: penstock.runtime.redis.scripts/separate
-- include: penstock.runtime.redis.scripts/ancestor
-- include: penstock.runtime.redis.scripts/facets
-- include: penstock.runtime.redis.scripts/feed as feed(emit_change)
-- include: penstock.runtime.redis.scripts/settle
-- include: penstock.runtime.redis.scripts/standing
-- include: penstock.runtime.redis.scripts/thread_update

local thread, nonce = ARGV[3], ARGV[5]
local hosted = redis.call('HGET', key('graph', thread), 'hosted')
if hosted then
  return { 'GRAPH', hosted }
end
local at = place_of(ARGV[4], thread)
local told = { source = 'update', entrypoint = ARGV[9], metadata = ARGV[10], keep = ARGV[11],
  first = -1 }

-- The pending run ends with the values as its result; its own terminal event tells so.
local function complete(id, status)
  local run = fields_of(id, 'entrypoint', 'thread', 'keep', 'attempt', 'feed', 'hooks')
  redis.call('HSET', key('checkpoints', id), 'result', ARGV[14], 'saved', ARGV[7])
  if ARGV[8] ~= '' then
    redis.call('HSET', key('checkpoints', id), 'value', ARGV[8])
  end
  redis.call('PEXPIRE', key('questions', id), 0)
  local tail = (run.attempt and ',"attempt":' .. run.attempt or '') .. ',"thread":' .. cjson.encode(run.thread or id)
    .. ',"time":' .. string.format('%.3f', now / 1000) .. '}'
  local head = '{"mode":"run.finished","data":{"name":' .. cjson.encode(run.entrypoint) .. ',"status":"completed"'
    .. ',"checkpoint":{"id":"' .. string.format('%d', at.head + 1) .. '","parent":"' .. at.head .. '","step":'
    .. string.format('%d', at.step + 1) .. ',"source":"update"}'
  local published = head .. ',"outcome":' .. ARGV[14] .. '}' .. tail
  local texts = { head .. '},"ref":"result"' .. tail, #published > 65536 and '*' or published }
  if status == 'failed' then
    emit(id, 0, { '{"mode":"run.resumed","data":{"interrupts":[]}' .. tail, '' })
    if run.feed or run.hooks then
      feed().emit_change(id, run, 'run.resumed', 'queued')
    end
  end
  emit(id, tonumber(run.keep or 0), texts)
  settle(id, 'completed', '', told)
end

local number = made(nonce)
if number then
  return { 'OK', number }
end
local active = at.run
local status, busy = standing(active)
if busy then
  return { 'BUSY', active }
end
local values = ARGV[7] ~= '' and { ARGV[7], ARGV[8] } or nil
if values and (status == 'suspended' or status == 'failed' or status == 'queued')
  and (ARGV[6] == '' or ARGV[6] == at.head) then
  if active ~= ARGV[13] then
    return { 'MOVED', '' }
  end
  complete(active, status)
  return keep_made(nonce, place(thread).head)
end
if ARGV[6] ~= '' and ARGV[6] ~= at.head then
  local step, there = ancestor(thread, at, ARGV[6])
  if not step then
    return { 'UNKNOWN', '' }
  end
  told.parent, told.step = ARGV[6], step
  values = values or there
end
abandon(thread, active, status)
redis.call(unpack(remember(thread, at, told, values)))
redis.call('HSET', key('thread', thread), 'id', ARGV[4])
rest(thread, at.ttl or ARGV[12])
if at.listed then
  thread_lists().show_thread(thread, 'idle')
end
return keep_made(nonce, at.head)
