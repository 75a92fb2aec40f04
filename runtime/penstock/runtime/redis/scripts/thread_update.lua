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

-- What is kept of a checkpoint: its step, its base, and its own values ({} for none).
local function kept(thread, head, number)
  local entry = redis.call('LINDEX', key('history', thread), number - head - 1)
  if not entry then
    return nil
  end
  local found, _, step, _, _, _, base = string.match(entry, HEAD)
  if found ~= number then
    return nil
  end
  local saved, value = string.match(entry, '^[^\n]*\n[^\n]*\n[^\n]*\n([^\n]*)\n?([^\n]*)')
  return step, base, { saved, value }
end

-- ancestor(thread, at, number): the step of a checkpoint and its values ({} for none); nil if it is not kept.
local function ancestor(thread, at, number)
  if not at.head or not string.match(number, '^%d+$') or tonumber(number) > tonumber(at.head) then
    return nil
  end
  local step, base, values = kept(thread, at.head, number)
  if step and base ~= '' and base == at.base then
    values = redis.call('HMGET', key('thread', thread), 'saved', 'value')
  elseif step and base ~= '' and base ~= number then
    local _, _, there = kept(thread, at.head, base)
    step, values = there and step, there
  end
  return step, values
end

-- abandon(thread, active, status): the run that the thread is at does not go on.
local function abandon(thread, active, status)
  if status == 'suspended' or status == 'queued' then
    settle_here(active, 'cancelled', 'superseded')
  end
  redis.call('HDEL', key('thread', thread), 'run')
end
