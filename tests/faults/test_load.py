"""Very many of something: chunks, steps, runs of a fleet that died at once."""

from __future__ import annotations

import time
from typing import Any

import pytest
import redis

from penstock.publisher import subscribe
from penstock.publisher.redis.script import run as call
from penstock.runtime import Client
from penstock.runtime.redis.calls import AT_ONCE, Calls
from penstock.runtime.redis.keys import Keys
from penstock.runtime.settings import Settings
from penstock.runtime.types.run import RunStatus
from penstock.worker.process.recovery import Recovery
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import Fleet
from tests.support.server import RedisServer
from tests.support.until import reaches

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")


def peak(pid: int) -> int:
    """Return the most memory a process has had, in bytes."""
    with open(f"/proc/{pid}/status") as status:
        line = next(line for line in status if line.startswith("VmHWM"))
    return 1024 * int(line.split()[1])


def calls_of(raw: redis.Redis, command: str) -> int:
    """Return how often Redis has executed a command, inside of scripts too."""
    stats: Any = raw.info("commandstats")
    return int(stats.get(f"cmdstat_{command}", {"calls": 0})["calls"])


def stored(raw: redis.Redis, run_id: str) -> int:
    """Count the events of a run that are stored."""
    length: Any = raw.llen(f"penstock:events:{run_id}")
    return int(length)


def test_f54_a_run_that_says_more_than_redis_takes_waits_for_redis(
    fleet: Fleet, client: Client, server: RedisServer, raw: redis.Redis, checker: Checker
) -> None:
    worker = fleet.start(environ={})
    assert client.enqueue("main", {"x": 1}).result(5) == 2
    before = peak(worker.pid)
    raw.config_resetstat()
    run = client.enqueue("chatter", 600_000)
    fleet.executing(run.run_id)

    server.pause()  # as long as that a run that does not wait has said it all
    time.sleep(4.0)
    server.resume()

    reaches(run, RunStatus.COMPLETED, timeout=60)
    assert run.info().attempt == 1
    assert stored(raw, run.run_id) == 600_003
    assert peak(worker.pid) - before < 128 * 1024 * 1024
    assert 600_003 / calls_of(raw, "evalsha") < 2000  # no script blocks for long


def test_f61_a_hundred_thousand_events_are_read_in_order_by_one_that_comes_late(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    fleet.start(environ={})
    run = client.enqueue("chatter", 100_000)
    reaches(run, RunStatus.COMPLETED, timeout=60)

    with subscribe(run.run_id, connection=fleet.url) as events:
        seen = [(event.seq, event.data) for event in events if event.mode == "custom"]

    assert [data for _, data in seen] == list(range(100_000))
    assert [seq for seq, _ in seen] == list(range(seen[0][0], seen[0][0] + 100_000))


def test_f61_going_on_after_ten_times_the_steps_takes_ten_times_as_long(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    fleet.start(environ={})
    took: dict[int, float] = {}
    for steps in (1_000, 10_000):
        run = client.enqueue("march", {"steps": steps})
        reaches(run, RunStatus.SUSPENDED, timeout=60)
        began = time.monotonic()
        run.resume("on")
        assert run.result(60) == "on"
        took[steps] = time.monotonic() - began
        assert set(fleet.executions(run.run_id).values()) == {1, 2}

    assert took[10_000] < 10  # seconds
    assert took[10_000] < 40 * max(took[1_000], 0.05)  # a square would be a hundred times
    checker.check(over=True)


def test_f62_a_fleet_that_dies_is_recovered_in_small_bites(
    client: Client, server: RedisServer, raw: redis.Redis, checker: Checker
) -> None:
    runs = [client.enqueue("main", {"x": number}) for number in range(2000)]
    calls = Calls(Keys())
    taken = 0
    while taken < len(runs):  # by workers that never come back
        taken += len(
            calls.taken(call(raw, calls.take("gone", str(taken), 0.001, 64, ["default"]))).claims
        )
    recovery = Recovery(raw, Settings(redis=server.url))
    began = time.monotonic()

    looks = 1
    while recovery.check():
        looks += 1

    assert looks == 1 + len(runs) // AT_ONCE
    assert time.monotonic() - began < 5
    assert raw.zcard("penstock:leases") == 0
    assert raw.zcard("penstock:open:all") == len(runs)
    assert raw.llen("rq:queue:default") == len(runs)
    checker.check()
