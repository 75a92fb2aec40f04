-- append(stream, channel, keep, first, count, op): add events to a run's stream and publish them.
-- append_texts(stream, channel, keep, texts): the same, with the pairs in a table.
--
-- ARGV[first ...] holds `count` pairs: the text to store, the text to publish ('' = the same).
-- Seqs go on from the stream's last entry; the entry id is '<seq>-0', its field 'e' the text.
-- Published in frames ('<first seq>\n<text>\n<text>...') of at most FRAME bytes, unless one text is longer.
-- keep: how many events to keep at least, 0 for all. op, if given, is stored in the last entry's field 'op'.
-- Returns the last seq.
local FRAME = 262144

local function last_seq(stream)
  local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
  if not last then
    return 0, nil
  end
  return tonumber(string.match(last[1], '^%d+')), last[2]
end

local function append_from(texts, stream, channel, keep, first, count, op)
  local seq = last_seq(stream)
  local frame, bytes = nil, 0
  for index = first, first + 2 * count - 2, 2 do
    local stored, published = texts[index], texts[index + 1]
    if published == '' then
      published = stored
    end
    if frame and bytes + #published > FRAME then
      redis.call('PUBLISH', channel, table.concat(frame, '\n'))
      frame = nil
    end
    seq = seq + 1
    if not frame then
      frame, bytes = { string.format('%d', seq) }, 0
    end
    frame[#frame + 1] = published
    bytes = bytes + #published
    local entry = { 'XADD', stream }
    if keep > 0 then
      entry[3], entry[4], entry[5] = 'MAXLEN', '~', keep
    end
    entry[#entry + 1] = string.format('%d-0', seq)
    entry[#entry + 1] = 'e'
    entry[#entry + 1] = stored
    if op and index == first + 2 * count - 2 then
      entry[#entry + 1] = 'op'
      entry[#entry + 1] = op
    end
    redis.call(unpack(entry))
  end
  if frame then
    redis.call('PUBLISH', channel, table.concat(frame, '\n'))
  end
  return seq
end

local function append(stream, channel, keep, first, count, op)
  return append_from(ARGV, stream, channel, keep, first, count, op)
end

local function append_texts(stream, channel, keep, texts)
  return append_from(texts, stream, channel, keep, 1, #texts / 2)
end
