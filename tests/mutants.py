"""Breaks the protocol's scripts on purpose, one line at a time; the tests have to notice.

`python -m tests.mutants [name ...]` prints a table and exits with 1 if a mutant survives.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, TypeVar

import redis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from penstock.publisher.redis import script
from tests.faults.support.graph_schedules import GRAPH_SCHEDULES, Hosted
from tests.faults.support.hook_mutants import HOOK_MUTANTS
from tests.faults.support.hook_schedules import HOOK_SCHEDULES, Outbox
from tests.faults.support.machine import ProtocolMachine
from tests.faults.support.mutant import Mutant
from tests.faults.support.protocol import Protocol
from tests.faults.support.remote_schedules import REMOTE_SCHEDULES, follow
from tests.faults.support.repeat_schedules import REPEAT_SCHEDULES
from tests.faults.support.schedules import SCHEDULES
from tests.faults.support.wait_schedules import WAIT_SCHEDULES
from tests.support.server import RedisServer

T = TypeVar("T")

MUTANTS: Final = (
    Mutant("no fence", "commit", "if fence ~= ARGV[4] then", "if false then"),
    Mutant("no fence after the end", "commit", "status ~= 'running' or ", ""),
    Mutant("a lost write is not missed", "commit", "last ~= batch - 1", "false"),
    Mutant("a hand-over ignores a cancel", "handover", "if run.cancel then", "if false then"),
    Mutant("repeated writes are done again", "commit", "last >= batch", "false"),
    Mutant("seqs begin anew with each write", "commit", "= 'seq', seq", "= 'seq', 0"),
    Mutant("an answer is not counted", "emit", "'seq', seq)", "'seq', seq - 1)"),
    Mutant("all events of a write have one seq", "append", "      seq = seq + 1\n", ""),
    Mutant("writes are not counted", "commit", "'batch', ARGV[5],", "'batch', 0,"),
    Mutant("progress does not clear deaths", "commit", "if not gets_on() then", "if true then"),
    Mutant("a running run can be claimed", "claim", "run.status ~= 'queued'", "run.status == nil"),
    Mutant("any run can be claimed", "claim", "if run.status ~= 'queued' then", "if false then"),
    Mutant(
        "a run can be claimed out of its turn",
        "claim",
        "return run.lone == '1' or of_thread(run).run == id",
        "return true",
    ),
    Mutant("a late answer wakes", "resume", "if answers and fresh == 0 or", "if false or"),
    Mutant(
        "a late retry is done again",
        "resume",
        "(run.epoch or '') ~= ARGV[5]",
        "false",
    ),
    Mutant("the epoch does not grow", "claim", "(run.epoch or 0) + 1", "(run.epoch or 0) + 0"),
    Mutant("a fence is its epoch alone", "claim", "epoch .. '.' .. nonce", "epoch .. '.'"),
    Mutant("a claim leaves the write count", "claim", "  if run.batch then", "  if false then"),
    Mutant("a claim has no lease", "claim", "    redis.call(unpack(leased))\n", ""),
    Mutant(
        "take forgets what it gave", "take", "if before and string.sub(", "if false and string.sub("
    ),
    Mutant("acquire forgets what it gave", "acquire", "run.status == 'running' and", "false and"),
    Mutant("suspects share a worker", "take", "busy > 0 or #runs > 0", "false"),
    Mutant("suspension ignores a cancel", "suspend", "if run[5] then", "if false then"),
    Mutant("suspension ignores its thread", "suspend", "key('waiting', run[4])) > 0", "id) > 9"),
    Mutant("suspension keeps the lease", "suspend", "drop(id, 'running')\n", ""),
    Mutant("old questions stay", "suspend", "redis.call('DEL', key('questions', id))", ""),
    Mutant("what asks nothing says it asks", "suspend", "asks and '1' or '0'", "'1'"),
    Mutant("when it wakes is not said", "suspend", "'wakes', due)", "'wakes', '')"),
    Mutant("an answer at work is not missed", "questions", "_answered = true", "_answered = false"),
    Mutant("an answered question is listed", "questions", ") == 1 then", ") == 7 then"),
    Mutant("a closed question stays listed", "ask", "redis.call('HDEL'", "redis.call('HMGET'"),
    Mutant("a run that is over asks", "settle", "is_at_work and 0 or", "false and 0 or"),
    Mutant(
        "a zombie leaves the ready",
        "commit",
        "if fence ~= ARGV[4] then\n",
        "if fence ~= ARGV[4] then redis.call('ZREM', ARGV[1] .. ':ready', ARGV[3])\n",
    ),
    Mutant("a timer is not checked", "recover", "run.status ~= 'suspended' then", "false then"),
    Mutant("a timer fires twice", "recover", "  redis.call('ZREM', TIMERS, id)\n", ""),
    Mutant("an answer leaves the timer", "reopen", "redis.call('ZREM', TIMERS, id)\n", ""),
    Mutant("a wake leaves the timer", "wake", "redis.call('ZREM', TIMERS, id)\n", ""),
    Mutant("an end leaves the timer", "settle", "suspended = TIMERS }", "suspended = READY }"),
    Mutant("a sleep has no timer", "suspend", "redis.call('ZADD', TIMERS, due, id)", ""),
    Mutant("a late answer counts", "recover", "tonumber(due) <= now", "false"),
    Mutant("a sleeper gives its thread up", "suspend", "if asks and", "if"),
    Mutant("new input ends a sleeper", "standing", "run[3] == '0'", "run[3] == 'x'"),
    Mutant("rollback keeps the end", "finish", "run.cancel == 'rollback'", "false"),
    Mutant("any question is answered", "resume", "ARGV[at]) == 0 then", "ARGV[at]) == 7 then"),
    Mutant("the last answer wins", "resume", "given ~= ARGV[at + 1]", "false"),
    Mutant("an answer queues nothing", "reopen", "offer(id, false)", ""),
    Mutant(
        "an answer resurrects",
        "resume",
        "if not answers and status ~= 'failed' or answers and",
        "if false and",
    ),
    Mutant("waking resurrects", "wake", "if status ~= 'suspended' then", "if false then"),
    Mutant("waking queues nothing", "wake", "offer(id, false)", ""),
    Mutant("a cancel resurrects", "settle", "elseif is_open_status(status)", "elseif status"),
    Mutant(
        "a cancel of a wait is lost",
        "settle",
        "elseif is_open_status(status)",
        "elseif status == 'queued'",
    ),
    Mutant("a running run hears no cancel", "settle", "'HSETNX'", "'HEXISTS'"),
    Mutant("renewal is not fenced", "renew", "run[1] ~= ARGV[at + 1] or", ""),
    Mutant("renewal after the end", "renew", "or run[2] ~= 'running'", ""),
    Mutant("renewal does not tell", "renew", "run[3] and 'CANCEL' or 'OK'", "'OK'"),
    Mutant(
        "renewal does nothing",
        "renew",
        "redis.call('ZADD', LEASES, ms(now + tonumber(ARGV[3])), ARGV[at])",
        "",
    ),
    Mutant(
        "recovery does not look at the run",
        "recover",
        "if run.status ~= 'running' then",
        "if false then",
    ),
    Mutant("recovery resurrects the cancelled", "recover", "if run.cancel then", "if false then"),
    Mutant("recovery queues nothing", "recover", "  offer(id, true)\n  recovered", "  recovered"),
    Mutant(
        "recovery queues at the back",
        "recover",
        "offer(id, true)\n  recovered",
        "offer(id, false)\n  recovered",
    ),
    Mutant("a death is not counted", "recover", "'crashes', 1)", "'crashes', 0)"),
    Mutant("a recovery is no attempt", "recover", "run.attempt or 1) + 1", "run.attempt or 1) + 0"),
    Mutant(
        "burial takes others' runs",
        "recover",
        "if dead and run.worker ~= dead then",
        "if false then",
    ),
    Mutant("a lost ticket stays lost", "recover", "not has_ticket(", "false and has_ticket("),
    Mutant("poison is never given up", "recover", "4 * most or alone >= most", "4 * most"),
    Mutant("a lease given up alive is a death", "recover", "run.forgone ~= run.fence and", ""),
    Mutant(
        "who lives after all stays dead",
        "forgo",
        "run[lapse] and is_open_status(run.status)",
        "false",
    ),
    Mutant("the last death is taken back", "forgo", "= tonumber(found)", "= last"),
    Mutant(
        "life changes what is over",
        "forgo",
        "run[lapse] and is_open_status(run.status)",
        "run[lapse]",
    ),
    Mutant("a requeued run stays failed", "requeued", "if is_asked and", "if false and"),
    Mutant(
        "any ticket wakes a failed run",
        "requeued",
        "and not redis.call('ZSCORE', rq_queue(queue, 'failed'), job_of(id))",
        "",
    ),
    Mutant("a suspect is not isolated", "take", "if is_suspect then\n", "if false then\n"),
    Mutant(
        "a suspect that is kept back gets a ticket",
        "recover",
        "return tonumber(run.reserved or 0) > now",
        "return false",
    ),
    Mutant("a hand-over queues nothing", "handover", "offer(id, true)", ""),
    Mutant("a hand-over keeps the lease", "handover", "redis.call('ZREM', LEASES, id)", ""),
    Mutant("an update is made again", "update", "if number then", "if false then"),
    Mutant("an update takes a thread at work", "update", "if busy then", "if false then"),
    Mutant("an update leaves what waits", "update", "if values and", "if false and"),
    Mutant(
        "a run begins without its checkpoint", "settle", "'checkpoint', at.head", "'c', at.head"
    ),
    Mutant("a result is no checkpoint", "settle", "if ended[1] then", "if false then"),
    Mutant("an end keeps the lease", "settle", "running = LEASES,", "running = READY,"),
    Mutant("the next of a thread gets no ticket", "settle", "    offer(following, false)\n", ""),
    Mutant("a cancelled run keeps its turn", "settle", "redis.call('LREM'", "redis.call('LPOS'"),
    Mutant(
        "an end leaves RQ's list of begun jobs",
        "ticket",
        "redis.call('ZREM', rq_queue(queue, 'wip')",
        "redis.call('ZSCORE', rq_queue(queue, 'wip')",
    ),
    Mutant("enqueue creates twice", "enqueue", "if known[1] then", "if false then"),
    Mutant("a busy thread is not rejected", "enqueue", "on_busy == 'reject'", "false"),
    Mutant("a busy thread takes another run", "enqueue", "if busy then", "if false then"),
    Mutant("a replaced run is not told", "enqueue", "'cancel', on_busy)", "'canceled', on_busy)"),
    Mutant("a waiting run is not replaced", "enqueue", "status == 'suspended' or", "false or"),
    Mutant("a zombie sends", "send", "run.fence ~= ARGV[4] or", ""),
    Mutant("each attempt sends anew", "send", "and before[2] == ARGV[9] then", "and false then"),
    Mutant("other arguments are not sent", "send", "and before[2] == ARGV[9] then", "then"),
    Mutant(
        "what is recorded is sent again",
        "send",
        "redis.call('HEXISTS', key('checkpoints', home), step) == 1",
        "false",
    ),
    Mutant("anybody performs a step", "claim", "is_expected(id, run.home, run.home_step)", "true"),
    Mutant("performers stamp alike", "send", "'again', number", "'again', 1"),
    Mutant("anybody records a step", "commit", "not is_expected", "not tostring"),
    Mutant(
        "a performer ends unseen", "finish", "not is_expected(id, run.home, run.home_step)", "false"
    ),
    Mutant(
        "a step's result goes astray", "commit", "apply(home ~= '' and home or id,", "apply(id,"
    ),
    Mutant("a step's end wakes nobody", "remote_end", "  offer(caller, true)\n", ""),
    Mutant("a step's end comes too early", "suspend", "comes_back or not by or", "comes_back or"),
    Mutant("a run that is over is performed", "settle", "  remote_end().call_off(id)\n", ""),
    Mutant(
        "a lost step is lost in silence",
        "remote_end",
        "'!' .. status .. ' '",
        "'' .. status .. ' '",
    ),
    Mutant("what a graph goes on from may be gone", "puts", ") == 0 then", ") == 7 then"),
    Mutant(
        "the feed is not told of an end",
        "settle",
        "if run.feed or run.hooks then",
        "if run.hooks then",
    ),
    Mutant(
        "the feed is not told of an input", "enqueue", "if given.feed or given", "if false or given"
    ),
    Mutant("the feed is not told of a question", "suspend", "if (run[9] or", "if (false or"),
    Mutant("the feed is not told of an answer", "reopen", "if run.feed or run", "if false or run"),
    Mutant("the feed is not told of news", "resume", "if run.feed or run", "if false or run"),
    Mutant("the feed names another event", "feed", "last_seq(key('events', id))", "0"),
    Mutant(
        "the feed keeps an old status",
        "feed",
        "'status', status, 'cause'",
        "'status', 'x', 'cause'",
    ),
    Mutant("nothing is needed of a graph", "commit", "not of_graph().are_met(PUTS)", "false"),
    Mutant("what comes in the same write is not there", "puts", "come[place] = true", ""),
    Mutant("anything that comes is what is needed", "puts", "not come[place]", "not next(come)"),
    Mutant("one need is looked at", "puts", "first + 4 * count, 4", "first + 4, 4"),
    Mutant("the last value is no first", "puts", "'HSETNX'", "'HSET'"),
    Mutant("the first value stays", "puts", "redis.call('HSET', name", "redis.call('HSETNX', name"),
    Mutant("the hash of a saver ends", "puts", "redis.call('PERSIST', graph)", ""),
    Mutant("a space of a saver ends", "puts", "'PERSIST', graph .. ':' .. space)", "'TTL', graph)"),
    Mutant("an order of a saver ends", "puts", "space .. ':order')", "space)"),
    Mutant(
        "what a saver has kept is looked at each time", "puts", ") == 1 and field", ") and field"
    ),
    Mutant("what is dropped stays", "puts", "redis.call('HDEL', name, field)", ""),
    Mutant("a line is added again", "puts", "not string.find(", "true or string.find("),
    Mutant("a part of a line is one", "puts", "'\\n' .. value .. '\\n', 1", "value, 1"),
    Mutant("a line takes the place of others", "puts", "lines .. value ..", "value .."),
    Mutant("points have no order", "puts", "redis.call('ZADD', name, 0, member)", ""),
    Mutant("points are ordered by time", "puts", "'ZADD', name, 0", "'ZADD', name, 1"),
    Mutant("one change is made", "puts", "following - 1, 4", "first + 1, 4"),
    Mutant(
        "what follows is read one too early", "puts", "return following", "return following - 1"
    ),
    Mutant(
        "a graph is no progress",
        "commit",
        "  if HAS_GRAPH then\n    return true",
        "  if false then",
    ),
    Mutant("a run does not say that it has a graph", "commit", "return 'graph', '1'", "return"),
    *HOOK_MUTANTS,
)

SCRIPTS: Final = "penstock.runtime.redis.scripts"
PUBLISHER: Final = "penstock.publisher"

SEARCH: Final = settings(
    max_examples=400,
    stateful_step_count=40,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
    report_multiple_bugs=False,
    print_blob=False,
)


@contextmanager
def applied(mutant: Mutant) -> Generator[None]:
    """Let the loader read the mutated text."""
    loader: Any = script
    read = loader._read

    def mutated(package: str, name: str) -> str:
        text: str = read(package, name)
        return text.replace(mutant.old, mutant.new, 1) if name == mutant.file else text

    loader._read = mutated
    script.load.cache_clear()
    try:
        yield
    finally:
        loader._read = read
        script.load.cache_clear()


def without_a_line() -> list[str]:
    """Return the mutants whose text is no longer there, as the scripts have changed."""
    loader: Any = script
    texts = {
        file: loader._read(PUBLISHER if file == "append" else SCRIPTS, file)
        for file in {each.file for each in MUTANTS}
    }
    return [each.name for each in MUTANTS if each.old not in texts[each.file]]


def killer(mutant: Mutant, server: RedisServer) -> str:
    """Return what notices a mutant, '' for nothing."""
    ProtocolMachine.client = client = server.client()
    with applied(mutant):
        noticed = unhappy(client)
        if noticed:
            return noticed
        try:
            run_state_machine_as_test(ProtocolMachine, settings=SEARCH)
        except Exception:
            return "the state machine"
    return ""


def unhappy(client: redis.Redis) -> str:
    """Return the first schedule that fails, '' for none."""
    for schedule, tried in _schedules(client):
        try:
            tried()
        except Exception as error:
            _check_compiles(error)
            return schedule.__name__.replace("_", " ")
    return ""


def _schedules(client: redis.Redis) -> Iterator[tuple[Callable[..., None], Callable[[], None]]]:
    """Give all schedules, each with what follows it on a Redis that is emptied."""
    for schedule in (*SCHEDULES, *WAIT_SCHEDULES, *REPEAT_SCHEDULES):
        yield schedule, partial(_follow, schedule, client)
    for graph in GRAPH_SCHEDULES:
        yield graph, partial(_with, Hosted, graph, client)
    for hooked in HOOK_SCHEDULES:
        yield hooked, partial(_with, Outbox, hooked, client)
    for remote in REMOTE_SCHEDULES:
        yield remote, partial(follow, remote, client)


def _with(
    world: Callable[[redis.Redis], T], schedule: Callable[[T], None], client: redis.Redis
) -> None:
    schedule(world(client))


def _follow(schedule: Callable[[Protocol], None], client: redis.Redis) -> None:
    protocol = Protocol(client)
    schedule(protocol)
    protocol.check()
    protocol.end()


def _check_compiles(error: Exception) -> None:
    if "compiling" in str(error):  # killed by Redis, not by the tests
        raise error


def main(names: Sequence[str]) -> int:
    chosen = [mutant for mutant in MUTANTS if not names or mutant.name in names]
    survivors = 0
    if missing := without_a_line():
        print(f"nothing to change for {missing}")
        return 2
    with RedisServer() as server:
        if failing := unhappy(server.client()):
            print(f"fails without any mutant: {failing}")
            return 2
        for mutant in chosen:
            began = time.monotonic()
            by = killer(mutant, server)
            survivors += not by
            seconds = time.monotonic() - began
            print(
                f"{mutant.name:42} {mutant.file:9} {seconds:6.1f} s  {by or 'SURVIVES'}", flush=True
            )
    print(f"{len(chosen) - survivors} of {len(chosen)} mutants killed")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
