-- number_runs: give the runs of a thread their numbers, by which the events of all of them are counted on.
--
-- ARGV[1] prefix of Penstock's keys, ARGV[2] what stands for the thread in them, ARGV[3] ms that the numbers are kept,
-- ARGV[4] how many of them are kept, ARGV[5] and so on the ids of runs in the order in which they began.
-- A run that began before one that has a number gets none: its turn is over.
-- Returns the number of each, 0 for none.
-- Keys: tape:<thread> (zset of the ids of runs by their numbers).
local tape = ARGV[1] .. ':tape:' .. ARGV[2]
local numbers, last = {}, 4
for at = 5, #ARGV do
  local number = redis.call('ZSCORE', tape, ARGV[at])
  numbers[at - 4] = tonumber(number or 0)
  if number then
    last = at
  end
end
local newest = redis.call('ZREVRANGE', tape, 0, 0, 'WITHSCORES')[2]
for at = last + 1, #ARGV do
  newest = (newest or 0) + 1
  redis.call('ZADD', tape, newest, ARGV[at])
  numbers[at - 4] = newest
end
if #ARGV > last then
  redis.call('ZREMRANGEBYRANK', tape, 0, -1 - ARGV[4])
  redis.call('PEXPIRE', tape, ARGV[3])
end
return numbers
