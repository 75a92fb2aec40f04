-- The feed: an entry for each change of a run, for those who follow many runs. Needs names and append.
--
-- tell_change(id, most, event, status, run): the newest event of a run is a change of it: run.queued, run.interrupted,
-- run.resumed or run.finished; status: the one that it has now. most: how many entries are kept, field 'feed' of the run's
-- hash; runs without that field are not told of, nor are those of remote steps. run: its entrypoint, thread, cause and
-- tags, where they are known, else nil.
-- An entry has the event and its seq, and of the run its id, entrypoint, thread ('' for its own), status, cause, tags.
-- Keys: feed (stream), run:<id>, events:<id>.
local function tell_change(id, most, event, status, run)
  run = run or fields_of(id, 'entrypoint', 'thread', 'cause', 'tags')
  redis.call('XADD', ARGV[1] .. ':feed', 'MAXLEN', '~', most, '*', 'event', event, 'run', id,
    'seq', string.format('%d', last_seq(key('events', id))), 'entrypoint', run.entrypoint,
    'thread', run.thread or '', 'status', status, 'cause', status == 'failed' and run.cause or '', 'tags', run.tags or '')
end
