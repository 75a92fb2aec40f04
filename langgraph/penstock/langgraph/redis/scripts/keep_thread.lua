-- keep_thread: keep a thread that was copied for a time, as its saver keeps threads.
--
-- ARGV[1] the time in ms.
-- Keys: KEYS[1] graph:<thread>; those of keep.
-- include: penstock.langgraph.redis.scripts/keep

if redis.call('HEXISTS', KEYS[1], 'hosted') == 0 then
  keep_all(KEYS[1], ARGV[1])
end
return 'OK'
