-- A checkpoint of a thread from which another is made. Needs names and history.
--
-- ancestor(thread, at, number): the step of a checkpoint and its values ({} for none); nil if it is not kept.
-- Keys: history:<key>, thread:<key>.

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
