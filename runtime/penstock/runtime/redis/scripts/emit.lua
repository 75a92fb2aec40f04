-- The events of a run, which its hash counts: field 'seq' is the seq of the newest. Needs names and append.
--
-- seq_of(id): the seq of a run's newest event.
-- emit(id, keep, texts): add events, pairs of stored and published text, and publish them; keep: as append takes it.
-- Returns the seq of the newest.
-- Keys: run:<id>, events:<id>, channel:<id>.
local function seq_of(id)
  return tonumber(redis.call('HGET', key('run', id), 'seq') or last_seq(key('events', id)))
end

local function emit(id, keep, texts)
  local seq = append_texts(key('events', id), key('channel', id), keep, texts, seq_of(id))
  redis.call('HSET', key('run', id), 'seq', seq)
  return seq
end
