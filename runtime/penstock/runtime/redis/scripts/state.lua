-- state: read checkpoints of a thread, the newest first, with what their runs have recorded.
--
-- ARGV[3] thread key, ARGV[4] number of the first ('' for the head), ARGV[5] how many at most, ARGV[6] '1' to
-- read what runs have recorded, too, ARGV[7] thread id.
-- Returns for each { number, its entry, status of its run, its checkpoints, ids of its open questions, how the run
-- stands } with the last four only of checkpoints that are an input; in the place of an entry's own values, those of
-- its base, if it has one. Of a thread that a graph is executed on, only the text that says so, as its points are what
-- it has for checkpoints.
-- Keys: history:<key>, thread:<key>, run:<id>, checkpoints:<id>, questions:<id>, graph:<key>.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/clock
-- include: penstock.runtime.redis.scripts/history
-- include: penstock.runtime.redis.scripts/lone

local thread, history = ARGV[3], key('history', ARGV[3])
local hosted = redis.call('HGET', key('graph', thread), 'hosted')
if hosted then
  return hosted
end
local at, alone = place(thread), nil
if not at.head then
  alone = lone(ARGV[7], thread)
  if alone then
    local number = ms(alone.head)
    at = { head = number, run = ARGV[7], base = alone.values[1] and number or '' }
  end
end
local values, found = {}, {}
local first = ARGV[4] ~= '' and tonumber(ARGV[4]) or tonumber(at.head)
local back = at.head and first - at.head - 1 or 0
if back >= 0 or first < 1 then
  return found -- there is none of this number
end
if at.base ~= '' then
  local state = alone and alone.values or redis.call('HMGET', key('thread', thread), 'saved', 'value')
  values[at.base] = state[1] .. (state[2] ~= '' and '\n' .. state[2] or '')
end

-- The values of the checkpoint that has them; false if that is not kept.
local function values_of(base)
  if values[base] == nil then
    local entry = redis.call('LINDEX', history, base - at.head - 1)
    values[base] = entry and string.match(entry, HEAD) == base
      and string.match(entry, '^[^\n]*\n[^\n]*\n[^\n]*\n(.*)$') or false
  end
  return values[base]
end

local entries = redis.call('LRANGE', history, back - ARGV[5] + 1, back)
if alone then
  for number = math.max(1, #alone.entries + back + 2 - ARGV[5]), #alone.entries + back + 1 do
    entries[#entries + 1] = alone.entries[number]
  end
end
for each = #entries, 1, -1 do
  local number, source, _, _, run, _, base = string.match(entries[each], HEAD)
  local value = base == '' or values_of(base)
  if not value then
    break -- what it builds on is not kept, and neither is what lies before
  end
  local head = string.match(entries[each], '^[^\n]*\n[^\n]*\n[^\n]*')
  local one = { number, base == '' and head or head .. '\n' .. value, '', {}, {}, '' }
  if source == 'input' then
    one[3] = redis.call('HGET', key('run', run), 'status') or ''
    if ARGV[6] == '1' then
      one[4] = redis.call('HGETALL', key('checkpoints', run))
      one[5] = redis.call('HKEYS', key('questions', run))
    end
    one[6] = at.head ~= number and 'past' or at.run == run and 'head' or ''
  end
  found[#found + 1] = one
end
return found
