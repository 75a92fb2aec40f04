-- What changes a thread between its runs. Needs names, clock, ticket, append, history and settle.
--
-- Keys: history:<key>, thread:<key>, made:<nonce> (a number), and those of settle.
--
-- made(nonce): the number of the checkpoint that this very change has made before; nil if it is new.
-- keep_made(nonce, number): remember it for a minute, in which the call may be sent again.
local function made(nonce)
  return redis.call('GET', key('made', nonce)) or nil
end

local function keep_made(nonce, number)
  redis.call('SET', key('made', nonce), number, 'PX', 60000)
  return { 'OK', number }
end

-- abandon(thread, active, status): the run that the thread is at does not go on.
local function abandon(thread, active, status)
  if status == 'suspended' or status == 'queued' then
    settle_here(active, 'cancelled', 'superseded')
  end
  redis.call('HDEL', key('thread', thread), 'run')
end
