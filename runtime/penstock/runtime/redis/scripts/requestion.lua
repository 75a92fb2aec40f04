-- requestion: let a run that waits for answers ask one thing, in the place of all that it asks.
--
-- ARGV[3] run id, ARGV[4] interrupt id, ARGV[5] the encoded question, ARGV[6] what is recorded of it.
-- Nothing is done where the run does not wait for answers. Returns OK.
-- Keys: run:<id>, questions:<id>, checkpoints:<id>.
-- include: penstock.runtime.redis.scripts/names

local id = ARGV[3]
local run = redis.call('HMGET', key('run', id), 'status', 'asks')
if run[1] == 'suspended' and run[2] ~= '0' then
  redis.call('DEL', key('questions', id))
  redis.call('HSET', key('questions', id), ARGV[4], ARGV[5])
  redis.call('HSET', key('checkpoints', id), '?' .. ARGV[4], ARGV[6])
end
return redis.status_reply('OK')
