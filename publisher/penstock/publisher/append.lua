-- append(stream, channel, keep, first, count, op, due): add events to a run's stream and publish them.
-- append_texts(stream, channel, keep, texts, due): the same, with the pairs in a table.
--
-- ARGV[first ...] holds `count` pairs: the text to store, the text to publish ('' = the same).
-- Seqs go on from the stream's last entry; the entry id is '<seq>-0', its field 'e' the text.
-- Published in frames ('<first seq>\n<text>\n<text>...') of at most FRAME bytes, unless one text is longer.
-- keep: how many events to keep at least, 0 for all. op, if given, is stored in the last entry's field 'op'.
-- due: the seq that comes next, or one before it where others have spoken meanwhile; 0 or nil where nobody knows it.
-- XADD refuses an id that is taken, so that the last entry need be read only then.
-- Returns the last seq.
local FRAME = 262144

local function last_seq(stream)
  local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
  if not last then
    return 0, nil
  end
  return tonumber(string.match(last[1], '^%d+')), last[2]
end

local function add_entry(call, stream, keep, seq, stored, op)
  local id = string.format('%d-0', seq)
  if keep == 0 and not op then
    return call('XADD', stream, id, 'e', stored)
  end
  local entry = { 'XADD', stream }
  if keep > 0 then
    entry[3], entry[4], entry[5] = 'MAXLEN', '~', keep
  end
  entry[#entry + 1] = id
  entry[#entry + 1] = 'e'
  entry[#entry + 1] = stored
  if op then
    entry[#entry + 1] = 'op'
    entry[#entry + 1] = op
  end
  return call(unpack(entry))
end

local function append_from(texts, stream, channel, keep, first, count, op, due)
  local last = first + 2 * count - 2
  local seq = due and due > 0 and due - 1 or last_seq(stream)
  local frame, bytes = nil, 0
  for index = first, last, 2 do
    local stored, published = texts[index], texts[index + 1]
    if published == '' then
      published = stored
    end
    local named = index == last and op
    seq = seq + 1
    if type(add_entry(redis.pcall, stream, keep, seq, stored, named)) == 'table' then
      seq = last_seq(stream) + 1 -- the id is taken, or Redis refuses the entry: then it says so once more
      add_entry(redis.call, stream, keep, seq, stored, named)
    end
    if frame and bytes + #published > FRAME then
      redis.call('PUBLISH', channel, table.concat(frame, '\n'))
      frame = nil
    end
    if not frame then
      frame, bytes = { string.format('%d', seq) }, 0
    end
    frame[#frame + 1] = published
    bytes = bytes + #published
  end
  if frame then
    redis.call('PUBLISH', channel, table.concat(frame, '\n'))
  end
  return seq
end

local function append(stream, channel, keep, first, count, op, due)
  return append_from(ARGV, stream, channel, keep, first, count, op, due)
end

local function append_texts(stream, channel, keep, texts, due)
  return append_from(texts, stream, channel, keep, 1, #texts / 2, nil, due)
end
