-- The questions of a run that can be answered. Needs names.
--
-- list_questions(id, from): add those of ARGV[from...], pairs of interrupt id, or '<interrupt id>/schema', and text.
-- Returns whether any is open, and whether any was answered before it was listed. A run that has asked something has the
-- field 'asks'.
-- Keys: run:<id>, questions:<id>, checkpoints:<id> (an answer is the field '!<interrupt id>').
local function list_questions(id, from)
  local is_open, is_answered = false, false
  for field = from, #ARGV, 2 do
    if redis.call('HEXISTS', key('checkpoints', id), '!' .. string.match(ARGV[field], '^[^/]*')) == 1 then
      is_answered = true
    else
      redis.call('HSET', key('questions', id), ARGV[field], ARGV[field + 1])
      is_open = true
    end
  end
  if is_open then
    redis.call('HSET', key('run', id), 'asks', '1')
  end
  return is_open, is_answered
end
