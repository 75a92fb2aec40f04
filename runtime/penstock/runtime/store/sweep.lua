-- sweep: remove items that are over, once, however often the call is sent.
--
-- ARGV[2] nonce, ARGV[3] how many at most.
-- Returns { how many were removed, how many namespaces may have more }.
-- Keys: those of items.
-- include: penstock.runtime.store/names
-- include: penstock.runtime.store/items

local before = redis.call('HMGET', done, 'swept', 'more')
if before[1] then
  return { tonumber(before[1]), tonumber(before[2]) }
end
local swept = sweep(whole(ms), tonumber(ARGV[3]))
local more = redis.call('ZCOUNT', EXPIRIES, '-inf', whole(ms))
redis.call('HSET', done, 'swept', swept, 'more', more)
redis.call('PEXPIRE', done, 60000)
return { swept, more }
