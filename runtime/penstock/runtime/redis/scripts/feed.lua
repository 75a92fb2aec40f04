-- The feed: an entry for each change of a run, for those who follow many runs, and the same for webhooks. Needs names
-- and append.
--
-- emit_change(id, to, event, status, run): the newest event of a run is a change of it: run.queued, run.interrupted,
-- run.resumed or run.finished; status: the one that it has now. to: where the entry goes, fields 'feed' and 'hooks' of
-- the run's hash; there is none of a run without both, nor of one of a remote step. run: its entrypoint, thread, cause
-- and tags, where they are known, else nil.
-- 'feed': how many entries of the feed are kept. 'hooks': 'all' where there are webhooks, 'own' where the run has one of
-- its own as well, whose URL is its checkpoint 'webhook'.
-- An entry has the event and its seq, and of the run its id, entrypoint, thread ('' for its own), status, cause, tags;
-- in hooks, the URL before that, or ''.
-- Where no worker takes them, hooks is full at some time: what is lost then is counted, for 30 days.
-- Keys: feed (stream), hooks (stream, until it is delivered), hooks:lost (a count), run:<id>, events:<id>,
-- checkpoints:<id>.
local MOST_HOOKS = 100000
local function emit_change(id, to, event, status, run)
  run = run or fields_of(id, 'entrypoint', 'thread', 'cause', 'tags')
  local entry = { 'event', event, 'run', id,
    'seq', string.format('%d', last_seq(key('events', id))), 'entrypoint', run.entrypoint,
    'thread', run.thread or '', 'status', status, 'cause', status == 'failed' and run.cause or '', 'tags', run.tags or '' }
  if to.feed then
    redis.call('XADD', ARGV[1] .. ':feed', 'MAXLEN', '~', to.feed, '*', unpack(entry))
  end
  local HOOKS = ARGV[1] .. ':hooks'
  if to.hooks and redis.call('XLEN', HOOKS) >= MOST_HOOKS then
    local lost = (redis.call('GET', HOOKS .. ':lost') or 0) + 1
    redis.call('SET', HOOKS .. ':lost', string.format('%d', lost), 'PX', 2592000000)
  elseif to.hooks then
    local url = to.hooks == 'own' and redis.call('HGET', key('checkpoints', id), 'webhook') or ''
    redis.call('XADD', HOOKS, '*', 'url', url, unpack(entry))
  end
end
