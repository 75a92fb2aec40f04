"""Mutants of the scripts of webhooks."""

from __future__ import annotations

from typing import Final

from tests.faults.support.mutant import Mutant

HOOK_MUTANTS: Final = (
    Mutant("a webhook is written over another", "hook_put", "known ~= ARGV[4]", "false"),
    Mutant("a webhook written twice has moved", "hook_put", "known == ARGV[5]", "false"),
    Mutant("there may be any number of webhooks", "hook_put", ">= tonumber(ARGV[6])", "< 0"),
    Mutant("a deleted webhook leaves its keys", "hook_put", "ARGV[5] ~= ''", "true"),
    Mutant("a deleted webhook is due", "hook_put", "redis.call('ZREM', ARGV", "tostring(ARGV"),
    Mutant("a deleted webhook keeps what waits", "hook_put", "':waiting', ", ""),
    Mutant("a deleted webhook keeps its tries", "hook_put", ", ':log'", ""),
    Mutant("a change without end waits", "feed", ">= MOST_HOOKS", ">= 1e12"),
    Mutant("a lost change is not counted", "feed", "or 0) + 1", "or 0) + 0"),
    Mutant("all runs have a URL", "feed", "to.hooks == 'own' and", "true and"),
    Mutant("two workers read changes", "hook_changes", "reader ~= ARGV[3]", "false"),
    Mutant("nobody reads changes", "hook_changes", "redis.call('SET', READER", "tostring(READER"),
    Mutant("a reader reads for ever", "hook_changes", ", 'PX', ARGV[4])", ")"),
    Mutant("others never read", "hook_changes", "redis.call('DEL', READER)", ""),
    Mutant("changes are read from the first", "hook_changes", "ARGV[5] == ''", "true"),
    Mutant("a change is routed again", "hook_route", "if not is_there()", "if false"),
    Mutant("any change of an id is that", "hook_route", "told.run == ARGV[4] and", "told.run and"),
    Mutant("a change stays", "hook_route", "redis.call('XDEL', HOOKS, ARGV[3])", ""),
    Mutant("an empty stream stays", "hook_route", "redis.call('PEXPIRE', HOOKS, 0)", ""),
    Mutant(
        "a deleted webhook is told", "hook_route", ":webhooks', id) == 1", ":webhooks', id) < 2"
    ),
    Mutant("a disabled webhook is told", "hook_route", "'disabled') == 1", "'disabled') == 2"),
    Mutant("nothing is told as nothing", "hook_route", " or record == ''", ""),
    Mutant("any number may wait", "hook_route", ">= tonumber(ARGV[6])", "< 0"),
    Mutant("what is not told is forgotten", "hook_route", "or 0) + 1", "or 0) + 0"),
    Mutant(
        "what is no change is counted",
        "hook_route",
        "  if ARGV[3] ~= '' then\n    redis",
        "  if true then\n    redis",
    ),
    Mutant("a delivery is not due", "hook_route", "redis.call('ZADD', due, NOW, delivery)", ""),
    Mutant("a webhook is not due", "hook_route", "redis.call('ZADD', ARGV[1]", "tostring(ARGV[1]"),
    Mutant("the URL of a run stays", "hook_route", "is_own and { '', ':waiting', ':due' } or", ""),
    Mutant("a delivery is claimed by all", "hook_take", "':due'), until_when", "':due'), NOW"),
    Mutant(
        "nothing is being sent",
        "hook_take",
        "redis.call('ZADD', key('webhook', id .. ':sending')",
        "tostring(key('webhook', id .. ':sending')",
    ),
    Mutant("a claim has no number", "hook_take", "'/n', 1)", "'/n', 0)"),
    Mutant("tries are not told", "hook_take", "'/t') or '0'", "'/t') and '0' or '0'"),
    Mutant("any number is claimed", "hook_take", "  room = room - 1\n", ""),
    Mutant(
        "any number is sent at once",
        "hook_take",
        "math.min(room, most - ",
        "math.max(room, most - ",
    ),
    Mutant(
        "a dead worker keeps its place",
        "hook_take",
        "redis.call('ZREMRANGEBYSCORE', sending, '-inf', NOW)",
        "",
    ),
    Mutant("a disabled webhook is sent", "hook_take", "'disabled') == 1", "'disabled') == 2"),
    Mutant(
        "what is not due is sent",
        "hook_take",
        "'ZRANGEBYSCORE', due, '-inf', NOW",
        "'ZRANGEBYSCORE', due, '-inf', '+inf'",
    ),
    Mutant(
        "what has no record stays due",
        "hook_take",
        "redis.call('ZREM', key('webhook', id .. ':due'), delivery)",
        "",
    ),
    Mutant("a webhook is sent nothing more", "hook_take", "following and {", "false and {"),
    Mutant("an old claim counts", "hook_sent", "claim ~= ARGV[5]", "false"),
    Mutant("what has come is told by one claim", "hook_sent", "outcome ~= 'ok' and claim", "claim"),
    Mutant("what is over is noted again", "hook_sent", "not claim or", "false or"),
    Mutant("what has come waits", "hook_sent", "  redis.call('ZREM', due, delivery)\n", ""),
    Mutant(
        "what has come is kept", "hook_sent", "waiting, delivery, delivery", "waiting, delivery"
    ),
    Mutant("claims are kept", "hook_sent", ", delivery .. '/n', ", ", "),
    Mutant("tries are kept", "hook_sent", ", delivery .. '/t')", ")"),
    Mutant(
        "a success ends no failures",
        "hook_sent",
        "redis.call('HDEL', state, 'failing')\n  done()",
        "done()",
    ),
    Mutant("a success is not counted", "hook_sent", "'delivered', 1", "'delivered', 0"),
    Mutant("a try is not counted", "hook_sent", "'/t', 1)", "'/t', 0)"),
    Mutant("a failed try is not made again", "hook_sent", "'/t', 1)\n    wait()", "'/t', 1)"),
    Mutant(
        "failures have no begin",
        "hook_sent",
        "'HSETNX', state, 'failing'",
        "'HSET', state, 'failing'",
    ),
    Mutant("what is given up waits", "hook_sent", "'failed', 1)\n  done()", "'failed', 1)"),
    Mutant("what is given up is not counted", "hook_sent", "'failed', 1", "'failed', 0"),
    Mutant(
        "failures go on while nothing is tried",
        "hook_sent",
        "('EXISTS', due) == 0 then\n    redis",
        "('EXISTS', due) == 2 then\n    redis",
    ),
    Mutant(
        "failures end while something is tried",
        "hook_sent",
        "if redis.call('EXISTS', due) == 0 then\n    redis",
        "if true then\n    redis",
    ),
    Mutant("a place is not free", "hook_sent", "redis.call('ZREM', sending, delivery)", ""),
    Mutant("a run's URL has a log", "hook_sent", "if is_named and outcome", "if outcome"),
    Mutant(
        "what was not read is logged", "hook_sent", "is_named and outcome ~= 'later'", "is_named"
    ),
    Mutant(
        "any number of tries is remembered",
        "hook_sent",
        "redis.call('LTRIM', log, 0, ARGV[12] - 1)",
        "",
    ),
    Mutant(
        "what was not read is not said", "hook_sent", "redis.call('HSET', state, 'unread', NOW)", ""
    ),
    Mutant("what was not read is lost", "hook_sent", "'unread', NOW)\n  wait()", "'unread', NOW)"),
    Mutant("days of failures do not disable", "hook_sent", ">= tonumber(ARGV[10])", "< 0"),
    Mutant("any failure disables", "hook_sent", "failing >= tonumber(ARGV[10])", "true"),
    Mutant("what is gone is tried again", "hook_sent", "(outcome == 'gone' or ", "(false or "),
    Mutant(
        "the URL of a run is tried though gone",
        "hook_sent",
        "(outcome ~= 'gone' or is_named)",
        "true",
    ),
    Mutant("the URL of a run is disabled", "hook_sent", "if is_named and (outcome", "if (outcome"),
    Mutant(
        "the state of a run's URL stays", "hook_sent", "redis.call('PEXPIRE', state, ARGV[11])", ""
    ),
    Mutant(
        "an empty webhook is due",
        "hook_sent",
        "if redis.call('EXISTS', due) == 0 then\n  redis",
        "if false then\n  redis",
    ),
    Mutant(
        "a free place is not used",
        "hook_sent",
        "redis.call('ZADD', ARGV[1] .. ':webhooks:due', 'LT'",
        "tostring(ARGV[1] .. ':webhooks:due', 'LT'",
    ),
    Mutant(
        "a later reason takes the first one's place",
        "hook_state",
        "'HSETNX', key('webhook', id), 'disabled', reason",
        "'HSET', key('webhook', id), 'disabled', reason",
    ),
    Mutant(
        "what waits is kept for ever",
        "hook_state",
        "redis.call('PEXPIRE', key('webhook', id .. ':waiting'), kept)",
        "",
    ),
    Mutant(
        "when it waits is kept for ever",
        "hook_state",
        "redis.call('PEXPIRE', key('webhook', id .. ':due'), kept)",
        "",
    ),
    Mutant(
        "a disabled webhook is due",
        "hook_state",
        "redis.call('ZREM', ARGV[1] .. ':webhooks:due', id)",
        "",
    ),
    Mutant("any webhook is switched", "hook_switch", "id) == 0 then", "id) == 2 then"),
    Mutant(
        "an enabled webhook is disabled",
        "hook_switch",
        "'disabled', 'disabled_at', 'failing'",
        "'disabled_at', 'failing'",
    ),
    Mutant(
        "an enabled webhook has failed for days",
        "hook_switch",
        "'disabled_at', 'failing')",
        "'disabled_at')",
    ),
    Mutant(
        "what waits ends after all",
        "hook_switch",
        "redis.call('PERSIST', key('webhook', id .. ':waiting'))",
        "",
    ),
    Mutant(
        "when it waits ends after all",
        "hook_switch",
        "redis.call('PERSIST', key('webhook', id .. ':due'))",
        "",
    ),
    Mutant("what waits is sent late", "hook_switch", "redis.call('ZADD', due, NOW, delivery)", ""),
    Mutant(
        "what is being sent is sent twice",
        "hook_switch",
        "if not redis.call('ZSCORE'",
        "if true or redis.call('ZSCORE'",
    ),
    Mutant("a thousand are enough", "hook_switch", "#later == AT_ONCE", "false"),
    Mutant(
        "an enabled webhook is sent nothing",
        "hook_switch",
        "redis.call('ZADD', ARGV[1] .. ':webhooks:due', 'LT', NOW, id)",
        "",
    ),
    Mutant("a run loses its own URL", "hook_mark", "(run.hooks or ", "("),
    Mutant("an update of a thread is told of", "hook_mark", "or run.op ", ""),
    Mutant("a remote step is told of", "hook_mark", " or run.home)", ")"),
    Mutant(
        "open runs are not marked",
        "hook_mark",
        "redis.call('HSET', key('run', found[at]), 'hooks', 'all')",
        "",
    ),
    Mutant("one page of runs is marked", "hook_mark", "#found < 2 * tonumber(ARGV[4])", "true"),
    Mutant(
        "a page is marked for ever", "hook_mark", "last == ARGV[3] and last - 1 or last", "ARGV[3]"
    ),
)
