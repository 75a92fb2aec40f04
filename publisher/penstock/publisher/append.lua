-- append(list, channel, keep, first, count, before): add events to a list of events, and publish them.
-- append_texts(list, channel, keep, texts, before): the same, with the pairs in a table.
--
-- ARGV[first ...] holds `count` pairs: the text to store, the text to publish ('' = the same).
-- An item is '<seq> <text>'. Seqs go on from `before`, the seq of the newest event, or from the last item where the
-- caller does not know that.
-- Published in frames ('<first seq>\n<text>\n<text>...') of at most FRAME bytes, unless one text is longer.
-- keep: how many events to keep at least, 0 for all. Up to SLACK more are kept, so that few writes trim the list.
-- Both return the last seq, and so does
-- begin_events(list, channel, text): add the first event of all.
local FRAME = 262144
local SLACK = 100
local FEW = 100

-- seldom
local function last_seq(list)
  local newest = redis.call('LINDEX', list, -1)
  return newest and tonumber(string.match(newest, '^%d+')) or 0
end

-- Adds and publishes the texts at first, first + 2 ... last, however many; seq: that of the event before. Returns the
-- length of the list.
-- seldom
local function append_many(texts, list, channel, first, last, seq)
  local length
  local frame, bytes, before = nil, 0, seq
  for from = first, last, 2000 do
    local items = {}
    for at = from, math.min(last, from + 1998), 2 do
      seq = seq + 1
      items[#items + 1] = seq .. ' ' .. texts[at]
    end
    length = redis.call('RPUSH', list, unpack(items))
  end
  for index = first, last, 2 do
    local text = texts[index + 1] ~= '' and texts[index + 1] or texts[index]
    if frame and bytes + #text > FRAME then
      redis.call('PUBLISH', channel, table.concat(frame, '\n'))
      frame = nil
    end
    if not frame then
      frame, bytes = { string.format('%d', before + 1 + (index - first) / 2) }, 0
    end
    frame[#frame + 1] = text
    bytes = bytes + #text
  end
  redis.call('PUBLISH', channel, table.concat(frame, '\n'))
  return length
end

-- Most writes have few events, which are one frame.
-- in place
local function append_from(texts, list, channel, keep, first, count, before)
  local newest = before or last_seq(list)
  if count > 0 then
    local items, frame, bytes, seq, length = {}, {}, 0, newest, nil
    for nth = 1, math.min(count, FEW) do
      local at = first + 2 * nth - 2
      local text, told = texts[at], texts[at + 1]
      if told == '' then
        told = text
      end
      seq = seq + 1
      items[nth], frame[nth] = string.format('%d', seq) .. ' ' .. text, told
      bytes = bytes + #told
    end
    if count == 1 or count <= FEW and bytes <= FRAME then
      length = redis.call('RPUSH', list, unpack(items))
      redis.call('PUBLISH', channel, string.format('%d', newest + 1) .. '\n' .. table.concat(frame, '\n'))
    else
      length = append_many(texts, list, channel, first, first + 2 * count - 1, newest)
    end
    if keep > 0 and length > keep + SLACK then
      redis.call('LTRIM', list, -keep, -1)
    end
    newest = newest + count
  end
  return newest
end

-- Somebody has deleted the run, and not its events.
-- seldom
local function begin_after_others(list, channel, text)
  redis.call('LTRIM', list, 0, -2)
  local seq = append_from({ text, '' }, list, channel, 0, 1, 1)
  return seq
end

-- in place
local function begin_events(list, channel, text)
  local seq = '1'
  if redis.call('RPUSH', list, '1 ' .. text) == 1 then
    redis.call('PUBLISH', channel, '1\n' .. text)
  else
    seq = begin_after_others(list, channel, text)
  end
  return seq
end

-- in place
local function append(list, channel, keep, first, count, before)
  local seq = append_from(ARGV, list, channel, keep, first, count, before)
  return seq
end

-- in place
local function append_texts(list, channel, keep, texts, before)
  local seq = append_from(texts, list, channel, keep, 1, #texts / 2, before)
  return seq
end
