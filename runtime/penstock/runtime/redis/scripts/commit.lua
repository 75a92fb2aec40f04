-- The part that all writes of an attempt share. Needs names, append, remote and puts.
-- Keys: those of puts; run:<id>; checkpoints:<home>, events:<home>, channel:<home> of the run that it writes for:
-- itself, or the one whose remote step it is, which has to be open and to wait for this very run (run:<home>,
-- remote:<home>).
--
-- ARGV[3] run id, ARGV[4] fence, ARGV[5] batch: number of this write within the attempt, from 1,
-- ARGV[6] home: the run whose remote step it is, '' for none, ARGV[7] keep: events to keep at least (0: all),
-- ARGV[8] due: the seq of its first event, as append takes it, ARGV[9] number of checkpoints, then pairs of field
-- and text; then the number of events, then pairs of stored and published text; then puts, as their chunk has them;
-- then the script's own.
-- commit() returns the index of the script's own first argument, or nil and the answer to give:
-- OK (this very write was applied before) or FENCED (the attempt does not own the run, one of its writes is lost, or
-- somebody has deleted what this one is to continue).

-- Whether a write has more than what the run was given, as it was read.
local function gets_on(checkpoints, puts)
  if ARGV[puts] ~= '0' then
    return true
  end
  for each = 10, 8 + 2 * checkpoints, 2 do
    if ARGV[each] ~= 'accepted' and ARGV[each] ~= 'accepted context' then
      return true
    end
  end
  return false
end

-- The deaths so far are none without a recorded step after them; 'got_on' is the number of the last of them (forgo).
local function forget_crashes(record)
  local run = redis.call('HMGET', record, 'isolated', 'deaths', 'pardoned')
  redis.call('HSET', record, 'crashes', '0', 'alone', '0', 'got_on', string.format('%d', (run[2] or 0) + (run[3] or 0)))
  if run[1] == '1' then
    redis.call('HDEL', record, 'isolated')
  end
end

local function commit()
  local id, batch, home = ARGV[3], tonumber(ARGV[5]), ARGV[6]
  local record = key('run', id)
  local run = redis.call('HMGET', record, 'fence', 'batch', 'status', 'crashes')
  if run[1] ~= ARGV[4] then
    return nil, 'FENCED'
  end
  local last = tonumber(run[2])
  if last >= batch then
    return nil, 'OK'
  end
  if run[3] ~= 'running' then
    return nil, 'FENCED'
  end
  if last ~= batch - 1 then
    return nil, 'FENCED' -- Redis has lost what came before, at a failover or on its disk
  end
  if home == '' then
    home = id
  elseif not is_expected(id, home, redis.call('HGET', record, 'home_step')) then
    return nil, 'FENCED'
  end
  local checkpoints = tonumber(ARGV[9])
  local at = 10 + 2 * checkpoints
  local events = tonumber(ARGV[at])
  local puts = at + 1 + 2 * events
  if not are_met(puts) then
    return nil, 'FENCED'
  end
  for first = 10, at - 1, 1000 do
    redis.call('HSET', key('checkpoints', home), unpack(ARGV, first, math.min(first + 999, at - 1)))
  end
  local following = put_all(puts)
  append(key('events', home), key('channel', home), tonumber(ARGV[7]), at + 1, events, tonumber(ARGV[8]))
  redis.call('HSET', record, 'batch', batch)
  if run[4] ~= '0' and gets_on(checkpoints, puts) then
    forget_crashes(record)
  end
  return following
end
