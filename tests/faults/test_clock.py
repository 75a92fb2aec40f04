"""Clocks that are wrong: of workers, of clients, of Redis itself."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import redis

from penstock.runtime import Client
from tests.faults.support.invariants import Checker
from tests.faults.support.oddities import JUMP, follow_jumps
from tests.faults.support.workers import QUICK, Fleet
from tests.support.until import until

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")

JUMPY = {**QUICK, "PENSTOCK_TEST_JUMPS": "1"}


@pytest.fixture
def jumps() -> Iterator[None]:
    with follow_jumps():
        yield


def jump(raw: redis.Redis, seconds: int) -> None:
    """Set Redis's clock, for all scripts."""
    raw.set(JUMP, seconds, ex=600)


@pytest.mark.parametrize("skew", [-3600, 3600])
def test_f36_a_workers_wrong_clock_changes_nothing(
    fleet: Fleet, client: Client, checker: Checker, skew: int
) -> None:
    wrong = fleet.start(environ={**QUICK, "PENSTOCK_TEST_SKEW": str(skew)}, concurrency=4)
    right = fleet.start(concurrency=4)
    runs = [client.enqueue("asteps", {"steps": 10, "seconds": 0.3}) for _ in range(8)]
    until(lambda: len(fleet.journal()) > 16)

    assert [run.result(20) for run in runs] == [list(range(10))] * 8

    assert {run.info().attempt for run in runs} == {1}
    assert {line["pid"] for line in fleet.journal()} == {wrong.pid, right.pid}
    checker.check(over=True)


@pytest.mark.parametrize("skew", [-3600, 3600])
def test_f36_a_worker_with_a_wrong_clock_recovers_at_the_right_time(
    fleet: Fleet, client: Client, checker: Checker, skew: int
) -> None:
    victim = fleet.start()
    run = client.enqueue("asteps", {"steps": 10, "seconds": 0.2})
    fleet.executing(run.run_id, 3)
    victim.kill()
    killed = time.monotonic()

    fleet.start(environ={**QUICK, "PENSTOCK_TEST_SKEW": str(skew)})

    assert run.result(20) == list(range(10))
    assert time.monotonic() - killed > 1.0  # not before the lease was over
    assert run.info().attempt == 2
    checker.check(over=True)


def test_f36_a_jump_of_redis_clock_ends_leases_early_and_doubles_nothing(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker, jumps: None
) -> None:
    fleet.start(environ=JUMPY)
    fleet.start(environ=JUMPY)
    runs = [client.enqueue("asteps", {"steps": 20, "seconds": 0.15}) for _ in range(4)]
    for run in runs:
        fleet.executing(run.run_id, 3)

    jump(raw, 60)

    assert [run.result(20) for run in runs] == [list(range(20))] * 4
    assert max(run.info().attempt for run in runs) <= 2
    checker.check(over=True)


def test_f36_a_jump_back_of_redis_clock_delays_recovery_and_nothing_else(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker, jumps: None
) -> None:
    jump(raw, 60)
    victim = fleet.start(environ=JUMPY)
    run = client.enqueue("asteps", {"steps": 10, "seconds": 0.2})
    fleet.executing(run.run_id, 3)
    victim.kill()
    other = fleet.start(environ=JUMPY)

    jump(raw, 0)

    assert client.enqueue("asteps", {"steps": 3}).result(10) == [0, 1, 2]
    score = raw.zscore("penstock:leases", run.run_id)
    assert score is not None
    assert score / 1000 > time.time() + 30  # as late as the clock jumped
    jump(raw, 60)  # as if that time had passed
    assert run.result(10) == list(range(10))
    assert run.info().attempt == 2
    assert other.running
    checker.check(over=True)
