-- delete: forget a thread, with the runs that its history names; or runs of it that are over.
--
-- ARGV[3] thread key, ARGV[4] thread id, ARGV[5...] ids of runs; without one, the thread itself.
-- Returns { OK, '' } or { BUSY, run id }.
-- Keys: thread:<key>, history:<key>, waiting:<key>, those of separate, standing and settle; run:<id>, checkpoints:<id>,
-- questions:<id>, events:<id>, rq:job:<id>, rq:finished/failed:<queue>, those of graph_keys.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/remote
-- include: penstock.runtime.redis.scripts/clock
-- include: penstock.publisher/append
-- include: penstock.runtime.redis.scripts/ticket
-- include: penstock.runtime.redis.scripts/history
-- include: penstock.runtime.redis.scripts/separate
-- include: penstock.runtime.redis.scripts/settle
-- include: penstock.runtime.redis.scripts/standing

local thread = ARGV[3]

-- As DEL does, which apps have no right to.
local function drop_keys(...)
  for _, name in ipairs({ ... }) do
    redis.call('PEXPIRE', name, 0)
  end
end

local function forget(id)
  local run = redis.call('HMGET', key('run', id), 'thread_key', 'status', 'queue', 'finished', 'retention', 'entrypoint',
    'facets')
  if run[1] ~= thread or run[2] == 'queued' or run[2] == 'running' or run[2] == 'suspended' then
    return
  end
  list_names().unlist_ended({ status = run[2], queue = run[3], finished = run[4], retention = run[5], entrypoint = run[6],
    facets = run[7] })
  if run[3] ~= '' then
    unfile(id, run[3])
    drop_keys(rq_job(id))
  end
  drop_keys(key('run', id), key('checkpoints', id), key('questions', id), key('events', id))
end

if #ARGV > 4 then
  for at = 5, #ARGV do
    forget(ARGV[at])
  end
  return { 'OK', '' }
end
local active = place_of(ARGV[4], thread).run
local status, busy = standing(active)
if busy then
  return { 'BUSY', active }
end
if status == 'suspended' or status == 'queued' then
  settle_here(active, 'cancelled', 'deleted')
end
for _, entry in ipairs(redis.call('LRANGE', key('history', thread), 0, -1)) do
  local _, _, _, _, id = string.match(entry, HEAD)
  if id ~= '' then
    forget(id)
  end
end
graph_keys().keep_graph(thread, nil)
drop_keys(key('thread', thread), key('history', thread), key('waiting', thread))
return { 'OK', '' }
