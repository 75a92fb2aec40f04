-- The part that all writes of an attempt share. Needs names, append and remote.
-- Keys: run:<id>; checkpoints:<home>, events:<home>, channel:<home> of the run that it writes for: itself, or the one
-- whose remote step it is, which has to be open and to wait for this very run (run:<home>, remote:<home>).
--
-- ARGV[3] run id, ARGV[4] fence, ARGV[5] batch: number of this write within the attempt, from 1,
-- ARGV[6] keep: events to keep at least (0: all), ARGV[7] number of checkpoints, then pairs of field
-- and text; then the number of events, then pairs of stored and published text; then the script's own.
-- commit() returns the index of the script's own first argument, or nil and the answer to give:
-- OK (this very write was applied before) or FENCED (the attempt does not own the run, or one of its writes is lost).
local function commit()
  local id, fence, batch = ARGV[3], ARGV[4], tonumber(ARGV[5])
  local run = redis.call('HMGET', key('run', id), 'fence', 'batch', 'status', 'crashes', 'home', 'home_step')
  if run[1] ~= fence then
    return nil, 'FENCED'
  end
  if tonumber(run[2]) >= batch then
    return nil, 'OK'
  end
  if run[3] ~= 'running' then
    return nil, 'FENCED'
  end
  if tonumber(run[2]) ~= batch - 1 then
    return nil, 'FENCED' -- Redis has lost what came before, at a failover or on its disk
  end
  local home = run[5] or id
  if run[5] and not is_expected(id, home, run[6]) then
    return nil, 'FENCED'
  end
  local checkpoints = tonumber(ARGV[7])
  local at = 8 + 2 * checkpoints
  for first = 8, at - 1, 1000 do
    redis.call('HSET', key('checkpoints', home), unpack(ARGV, first, math.min(first + 999, at - 1)))
  end
  local events = tonumber(ARGV[at])
  append(key('events', home), key('channel', home), tonumber(ARGV[6]), at + 1, events)
  local crashes = checkpoints > 0 and '0' or run[4] -- none from here on, as it gets on
  redis.call('HSET', key('run', id), 'batch', batch, 'crashes', crashes)
  return at + 1 + 2 * events
end
