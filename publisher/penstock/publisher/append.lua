-- append(stream, channel, keep, first, count, op, due): add events to a run's stream and publish them.
-- append_texts(stream, channel, keep, texts, due): the same, with the pairs in a table.
--
-- ARGV[first ...] holds `count` pairs: the text to store, the text to publish ('' = the same).
-- Seqs go on from the stream's last entry. An entry holds up to 16 events, as long as they are small, since each entry
-- costs Redis several times what an event in it does: its id is '<seq of its last event>-0', its fields FIELDS.
-- Published in frames ('<first seq>\n<text>\n<text>...') of at most FRAME bytes, unless one text is longer.
-- keep: how many events to keep at least, 0 for all: as XADD counts entries, each event has its own where it is given.
-- op, if given, is stored in the field 'op' of the last event, which has an entry of its own then.
-- due: the seq that comes next, or one before it where others have spoken meanwhile; 0 or nil where nobody knows it.
-- The first event has its own entry then: XADD refuses an id that is taken, and only then is the last entry read.
-- Returns the last seq.
local FIELDS = 'efghijklmnopqrst'
local ENTRY = 4096
local FRAME = 262144

local function last_seq(stream)
  local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
  return last and tonumber(string.match(last[1], '^%d+')) or 0
end

-- Returns the fields of an entry for the event at texts[index] and those after it that share it, up to texts[last].
local function entry_at(texts, index, last)
  local fields, bytes = { 'e', texts[index] }, #texts[index]
  for at = index + 2, math.min(last, index + 2 * #FIELDS - 2), 2 do
    bytes = bytes + #texts[at]
    if bytes > ENTRY then
      break
    end
    local nth = #fields / 2 + 1
    fields[#fields + 1], fields[#fields + 2] = string.sub(FIELDS, nth, nth), texts[at]
  end
  return fields
end

local function add_entry(call, stream, keep, seq, fields)
  local id = string.format('%d-0', seq)
  if keep > 0 then
    return call('XADD', stream, 'MAXLEN', '~', keep, id, unpack(fields))
  end
  return call('XADD', stream, id, unpack(fields))
end

-- Adds the first of some events under the seq that is due, or under the next where that is taken; returns which.
local function add_first(stream, keep, due, fields)
  if type(add_entry(redis.pcall, stream, keep, due, fields)) ~= 'table' then
    return due
  end
  local seq = last_seq(stream) + 1 -- the id is taken, or Redis refuses the entry: then it says so once more
  add_entry(redis.call, stream, keep, seq, fields)
  return seq
end

local function publish(texts, channel, first, last, seq)
  local frame, bytes = nil, 0
  for index = first, last, 2 do
    local text = texts[index + 1] ~= '' and texts[index + 1] or texts[index]
    if frame and bytes + #text > FRAME then
      redis.call('PUBLISH', channel, table.concat(frame, '\n'))
      frame = nil
    end
    if not frame then
      frame, bytes = { string.format('%d', seq + (index - first) / 2) }, 0
    end
    frame[#frame + 1] = text
    bytes = bytes + #text
  end
  if frame then
    redis.call('PUBLISH', channel, table.concat(frame, '\n'))
  end
end

local function append_from(texts, stream, channel, keep, first, count, op, due)
  local last, at, seq = first + 2 * count - 2, first, nil
  if due and due > 0 and count > 0 then
    at, seq = first + 2, add_first(stream, keep, due, { 'e', texts[first] })
  else
    seq = last_seq(stream)
  end
  while at <= last do
    local fields = entry_at(texts, at, keep > 0 and at or op and last - 2 or last)
    seq = seq + #fields / 2
    at = at + #fields
    if op and at > last then
      fields[3], fields[4] = 'op', op
    end
    add_entry(redis.call, stream, keep, seq, fields)
  end
  publish(texts, channel, first, last, seq + 1 - count)
  return seq
end

local function append(stream, channel, keep, first, count, op, due)
  return append_from(ARGV, stream, channel, keep, first, count, op, due)
end

local function append_texts(stream, channel, keep, texts, due)
  return append_from(texts, stream, channel, keep, 1, #texts / 2, nil, due)
end
