-- fork: go on from a checkpoint of a thread: a copy of it becomes the thread's head.
--
-- ARGV[3] thread key, ARGV[4] nonce, ARGV[5] number of the checkpoint ('' for the head), ARGV[6] entrypoint,
-- ARGV[7] metadata, ARGV[8] how many checkpoints to keep, ARGV[9] retention of a thread, ARGV[10] thread id.
-- Returns as update does. What is pending on the thread is cancelled.
-- Keys: those of ancestor, thread_update, thread_lists, separate, standing and settle.
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

local thread, nonce = ARGV[3], ARGV[4]
local number = made(nonce)
if number then
  return { 'OK', number }
end
local at = place_of(ARGV[10], thread)
local active = at.run
local status, busy = standing(active)
if busy then
  return { 'BUSY', active }
end
local parent = ARGV[5] ~= '' and ARGV[5] or at.head or ''
local step, values = ancestor(thread, at, parent)
if not step then
  return { 'UNKNOWN', '' }
end
abandon(thread, active, status)
redis.call(unpack(remember(thread, at, { source = 'fork', parent = parent, step = step, entrypoint = ARGV[6],
  metadata = ARGV[7], keep = ARGV[8] }, values)))
rest(thread, at.ttl or ARGV[9])
if at.listed then
  thread_lists().show_thread(thread, 'idle')
end
return keep_made(nonce, at.head)
