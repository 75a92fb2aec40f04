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

local function last_seq(list)
  local newest = redis.call('LINDEX', list, -1)
  return newest and tonumber(string.match(newest, '^%d+')) or 0
end

-- Adds the texts at first, first + 2 ... last; seq: that of the event before. Returns the length of the list.
local function push(texts, list, first, last, seq)
  local length
  for from = first, last, 2000 do
    local items = {}
    for at = from, math.min(last, from + 1998), 2 do
      seq = seq + 1
      items[#items + 1] = seq .. ' ' .. texts[at]
    end
    length = redis.call('RPUSH', list, unpack(items))
  end
  return length
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

local function append_from(texts, list, channel, keep, first, count, before)
  before = before or last_seq(list)
  local last = first + 2 * count - 1
  if count > 0 then
    local length = push(texts, list, first, last, before)
    if keep > 0 and length > keep + SLACK then
      redis.call('LTRIM', list, -keep, -1)
    end
    publish(texts, channel, first, last, before + 1)
  end
  return before + count
end

local function begin_events(list, channel, text)
  if redis.call('RPUSH', list, '1 ' .. text) == 1 then
    publish({ text, '' }, channel, 1, 2, 1)
    return 1
  end
  redis.call('LTRIM', list, 0, -2) -- somebody has deleted the run, and not its events
  return append_from({ text, '' }, list, channel, 0, 1)
end

local function append(list, channel, keep, first, count, before)
  return append_from(ARGV, list, channel, keep, first, count, before)
end

local function append_texts(list, channel, keep, texts, before)
  return append_from(texts, list, channel, keep, 1, #texts / 2, before)
end
