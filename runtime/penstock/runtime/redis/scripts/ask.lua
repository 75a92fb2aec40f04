-- ask: what an attempt has done and said, and what its code asks meanwhile: as record, for a run that stays at work.
--
-- ARGV as in commit, then: number of questions that are not open any more, their interrupt ids, pairs of interrupt id
-- and encoded question. A question that is answered already is not listed.
-- Returns OK or FENCED.
-- Keys: those of commit; questions:<id> (hash: interrupt id -> question).
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/remote
-- include: penstock.publisher/append
-- include: penstock.runtime.redis.scripts/emit
-- include: penstock.runtime.redis.scripts/questions
-- include: penstock.runtime.redis.scripts/commit

local at, answer = commit()
if not at then
  return answer
end
local id, closed = ARGV[3], tonumber(ARGV[at])
for each = at + 1, at + closed do
  redis.call('HDEL', key('questions', id), ARGV[each], ARGV[each] .. '/schema')
end
list_questions(id, at + 1 + closed)
return 'OK'
