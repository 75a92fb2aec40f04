-- outcomes: how steps ended, without their values, which may be large.
--
-- KEYS[1] checkpoints:<run id>. ARGV: names of checkpoints.
-- Returns for each: false if it is not there, '' if it holds a value, else type and message of its error; or the
-- outcome itself where it is encrypted.
local answers = {}
for at, name in ipairs(ARGV) do
  local text = redis.call('HGET', KEYS[1], name)
  if not text then
    answers[at] = false
  elseif string.sub(text, 1, 8) ~= '{"error"' then
    answers[at] = ''
  else
    local read, outcome = pcall(cjson.decode, text)
    if read and type(outcome.error) == 'table' and outcome.error.type then
      answers[at] = tostring(outcome.error.type) .. ': ' .. string.sub(tostring(outcome.error.message), 1, 500)
    else
      answers[at] = read and text or 'error'
    end
  end
end
return answers
