-- Runs that are to begin later. Needs names, clock and ticket.
--
-- offer_when_due(id, run, known): queue a run whose turn it is, or let it sleep until it is due, as one that has begun
-- may sleep. run: created, and wakes, when it is due (ms); known: as offer takes it.
-- Keys: run:<id>, open:<facet>, timers, ready and those of ticket.
local function offer_when_due(id, run, known)
  if tonumber(run.wakes) <= now then
    return offer(id, false, known)
  end
  redis.call('ZREM', READY, id)
  status_to(id, 'queued', 'suspended', 'asks', '0')
  redis.call('ZADD', SUSPENDED, run.created, id)
  redis.call('ZADD', TIMERS, run.wakes, id)
end
