-- A run that waited or is over goes on. Needs names, clock, append, emit, feed and ticket.
--
-- is_at(id, thread, lone): whether a run is the one that its thread is at; as long as it is lone, it is.
-- reopen(id, thread, event, request): keeps all it has for as long as it is open again, and says so in its stream;
-- request: what is kept of one with the leg that begins. Returns the number of that leg.
-- go_on(id, status, thread, event, request): does so and queues it, which it is not yet.
-- resumed_text(thread): the event of one that goes on without an answer; thread: the id of its thread, nil if its own.
-- Field 'pardoned' counts the deaths that do not count against it any more.
-- Keys: run:<id>, checkpoints:<id>, questions:<id>, events:<id>, channel:<id>, thread:<key>, history:<key>, timers, webhooks;
-- those of legs, relist, feed, graph_keys, thread_lists and ticket.
-- include: penstock.runtime.redis.scripts/graph_keys as graph_keys(keep_graph, roll_back)
-- include: penstock.runtime.redis.scripts/legs
-- include: penstock.runtime.redis.scripts/relist as relist(list_again)
-- include: penstock.runtime.redis.scripts/thread_lists as thread_lists(show_thread, hide_thread)

local function is_at(id, thread, is_lone)
  return is_lone == '1' or redis.call('HGET', key('thread', thread), 'run') == id
end

local function reopen(id, thread, event, request)
  for _, kind in ipairs({ 'run', 'checkpoints', 'questions', 'events' }) do
    redis.call('PERSIST', key(kind, id))
  end
  redis.call('PERSIST', key('thread', thread))
  redis.call('PERSIST', key('history', thread))
  graph_keys().keep_graph(thread, 0)
  local run = fields_of(id, 'status', 'finished', 'retention', 'entrypoint', 'queue', 'facets', 'created',
    'retention_failed', 'cause', 'op', 'deaths', 'pardoned', 'feed', 'hooks', 'listed', 'legs')
  if run.legs then
    redis.call('PERSIST', key('legs', id))
  end
  if run.finished and not run.op then
    relist().list_again(id, run)
  end
  redis.call('HDEL', key('run', id), 'finished', 'reason', 'cause', 'cancel', 'worker')
  local pardoned = ms((run.deaths or 0) + (run.pardoned or 0))
  redis.call('HSET', key('run', id), 'crashes', 0, 'deaths', 0, 'alone', 0, 'lonely', 0, 'pardoned', pardoned)
  redis.call('ZREM', TIMERS, id)
  local seq = emit(id, 0, { event, '' })
  if run.finished and not (run.op or run.hooks) and redis.call('EXISTS', ARGV[1] .. ':webhooks') == 1 then
    run.hooks = 'all' -- it was over when the first webhook was put
    redis.call('HSET', key('run', id), 'hooks', 'all')
  end
  if run.feed or run.hooks then
    feed().emit_change(id, run, 'run.resumed', 'queued')
  end
  if run.listed then
    thread_lists().show_thread(thread, 'busy')
  end
  return open_leg(id, run.status, seq, request or '')
end

local function go_on(id, status, thread, event, request)
  local leg = reopen(id, thread, event, request)
  status_to(id, status, 'queued')
  offer(id, false)
  return leg
end

local function resumed_text(thread)
  local named = thread and ',"thread":' .. cjson.encode(thread) or ''
  return '{"mode":"run.resumed","data":{"interrupts":[]}' .. named .. ',"time":' .. string.format('%.3f', now / 1000) .. '}'
end
