-- The part that all writes of an attempt share. Needs names, append, emit, remote and puts.
-- Keys: those of puts; run:<id>; checkpoints:<home>, events:<home>, channel:<home> of the run that it writes for:
-- itself, or the one whose remote step it is, which has to be under way and to wait for this very run (run:<home>,
-- remote:<home>).
--
-- ARGV[3] run id, ARGV[4] fence, ARGV[5] batch: number of this write within the attempt, from 1,
-- ARGV[6] home: the run whose remote step it is, '' for none, ARGV[7] keep: events to keep at least (0: all),
-- ARGV[8] number of checkpoints, then pairs of field and text; then the number of events, then pairs of stored and
-- published text; then puts, as their chunk has them; then the script's own.
-- refusal(fence, batch, status): the answer to a write that is not to be applied, as the run's hash stands; nil if it is
-- to be. OK: this very write was applied before; FENCED: the attempt does not own the run, one of its writes is lost, or
-- somebody has deleted what this one is to continue.
-- apply(home, crashes, seq): applies it, but for its number; seq: that of the newest event of home, nil where that is not
-- the run itself. Returns the index of the script's own first argument, and the fields of the hash that have changed, as
-- arguments of HSET: 'batch', and 'seq' where the run has said something.
-- has_graph(): the field of the hash, and its value, that say that this write has something of a graph; else nothing.
-- commit() does all of this: it returns that index, or nil and the answer to give.

-- The indices of the number of events and of the number of puts.
local EVENTS = 9 + 2 * tonumber(ARGV[8])
local PUTS = EVENTS + 1 + 2 * tonumber(ARGV[EVENTS])
local HAS_GRAPH = ARGV[PUTS] ~= '0'

-- Whether a write has more than what the run was given, as it was read.
local function gets_on()
  if HAS_GRAPH then
    return true
  end
  for each = 9, EVENTS - 2, 2 do
    if ARGV[each] ~= 'accepted' and ARGV[each] ~= 'accepted context' then
      return true
    end
  end
  return false
end

-- The deaths so far are none without a recorded step after them; 'got_on' is the number of the last of them (forgo).
-- seldom
local function forget_crashes(record)
  if not gets_on() then
    return
  end
  local run = redis.call('HMGET', record, 'isolated', 'deaths', 'pardoned')
  redis.call('HSET', record, 'crashes', '0', 'alone', '0', 'got_on', string.format('%d', (run[2] or 0) + (run[3] or 0)))
  if run[1] == '1' then
    redis.call('HDEL', record, 'isolated')
  end
end

-- include: penstock.runtime.redis.scripts/puts as of_graph(are_met, put_all)

local function refusal(fence, last, status)
  local batch = tonumber(ARGV[5])
  last = tonumber(last or 0)
  if fence ~= ARGV[4] then
    return 'FENCED'
  elseif last >= batch then
    return 'OK'
  elseif status ~= 'running' or last ~= batch - 1 then
    return 'FENCED' -- if still running, Redis has lost what came before, at a failover or on its disk
  elseif HAS_GRAPH and not of_graph().are_met(PUTS) then
    return 'FENCED'
  end
end

local function has_graph()
  if HAS_GRAPH then
    return 'graph', '1'
  end
end

local function apply(home, crashes, seq)
  local changed, count = { 'batch', ARGV[5], has_graph() }, tonumber(ARGV[EVENTS])
  for first = 9, EVENTS - 1, 1000 do
    redis.call('HSET', key('checkpoints', home), unpack(ARGV, first, math.min(first + 999, EVENTS - 1)))
  end
  local following = HAS_GRAPH and of_graph().put_all(PUTS) or PUTS + 1
  if count > 0 then
    seq = append(key('events', home), key('channel', home), tonumber(ARGV[7]), EVENTS + 1, count,
      tonumber(seq or seq_of(home)))
    if home == ARGV[3] then
      changed[#changed + 1], changed[#changed + 2] = 'seq', seq
    else
      redis.call('HSET', key('run', home), 'seq', seq)
    end
  end
  if (crashes or '0') ~= '0' then
    forget_crashes(key('run', ARGV[3]))
  end
  return following, changed
end

local function commit()
  local id, home = ARGV[3], ARGV[6]
  local record = key('run', id)
  local run = redis.call('HMGET', record, 'fence', 'batch', 'status', 'crashes', 'seq')
  local answer = refusal(run[1], run[2], run[3])
  if answer then
    return nil, answer
  end
  if home ~= '' and not is_expected(id, home, redis.call('HGET', record, 'home_step')) then
    return nil, 'FENCED'
  end
  local at, changed = apply(home ~= '' and home or id, run[4], run[5])
  redis.call('HSET', record, unpack(changed))
  return at
end
