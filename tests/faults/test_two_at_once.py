"""Two faults at the same time, each of which alone is survived."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from penstock.runtime import Client
from penstock.runtime.client.run import RunHandle
from penstock.runtime.types.run import RunStatus
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import Fleet
from tests.support.proxy import Proxy
from tests.support.server import RedisServer
from tests.support.until import reaches, until

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")


@pytest.fixture
def proxy(server: RedisServer) -> Iterator[Proxy]:
    with Proxy(server.port) as proxy:
        yield proxy


def child_of(raw: redis.Redis, run: RunHandle) -> int:
    """The process that executes a run."""
    name = until(lambda: run.info().worker)
    pid: Any = raw.hget(f"rq:worker:{name}", "pid")
    return int(pid)


@pytest.mark.parametrize("how", ["refuse", "blackhole"])
def test_a_worker_asked_to_end_while_redis_is_away_ends(
    fleet: Fleet, client: Client, proxy: Proxy, checker: Checker, how: str
) -> None:
    worker = fleet.start(url=proxy.url, grace=2.0)
    run = client.enqueue("asteps", {"steps": 40, "seconds": 0.1})
    fleet.executing(run.run_id, 4)
    getattr(proxy, how)()

    worker.term()

    assert worker.wait(40) == 0  # four waits for an answer, of 5 s each, and the lease
    fleet.start()
    assert run.result(30) == list(range(40))
    checker.check(over=True)


def test_a_child_that_dies_while_its_supervisor_cannot_reach_redis_is_recovered_and_replaced(
    fleet: Fleet, client: Client, raw: redis.Redis, proxy: Proxy, checker: Checker
) -> None:
    supervisor = fleet.start(url=proxy.url, processes=1)
    run = client.enqueue("asteps", {"steps": 40, "seconds": 0.1})
    fleet.executing(run.run_id, 4)
    pid = child_of(raw, run)
    proxy.refuse()

    os.kill(pid, signal.SIGKILL)
    until(lambda: supervisor.logged("worker.died"), 10)
    time.sleep(1.0)
    proxy.heal()

    assert run.result(30) == list(range(40))
    assert run.info().attempt == 2
    checker.check(over=True)


def test_a_supervisor_that_dies_after_its_child_leaves_nothing_behind(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    supervisor = fleet.start(processes=2)
    runs = [client.enqueue("asteps", {"steps": 20, "seconds": 0.1}) for _ in range(6)]
    for run in runs:
        fleet.executing(run.run_id, 2)
    pid = child_of(raw, runs[0])

    os.kill(supervisor.pid, signal.SIGSTOP)
    os.kill(pid, signal.SIGKILL)
    supervisor.kill()
    fleet.start()

    assert [run.result(30) for run in runs] == [list(range(20))] * 6
    checker.check(over=True)


def test_a_cancel_of_a_run_that_is_being_handed_over_ends_it(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    for _ in range(5):
        worker = fleet.start()
        runs = [client.enqueue("asteps", {"steps": 100, "seconds": 0.05}) for _ in range(6)]
        for run in runs:
            fleet.executing(run.run_id, 2)

        worker.term()
        for run in runs:
            run.cancel()

        assert worker.wait(20) == 0
        for run in runs:
            reaches(run, RunStatus.CANCELLED)  # with no worker there
        checker.check(over=True)


def test_redis_that_restarts_while_a_worker_stands_still_lets_nothing_be_done_twice(
    fleet: Fleet, client: Client, server: RedisServer, checker: Checker
) -> None:
    zombie = fleet.start()
    run = client.enqueue("asteps", {"steps": 30, "seconds": 0.1}, durability="sync")
    fleet.executing(run.run_id, 4)
    zombie.stop()
    server.kill()
    other = fleet.start(ready=False)
    time.sleep(1.0)
    server.start()
    until(lambda: not other.running or fleet.journal(run.run_id)[-1]["pid"] == other.pid, 15)
    zombie.cont()
    if not other.running:  # it was told that there is no Redis, and ended
        fleet.start()

    assert run.result(30) == list(range(30))
    recorded = checker.check(over=True).checkpoints(run.run_id)
    assert {f"astep:{number}" for number in range(30)} <= recorded.keys()


def test_a_full_redis_and_a_dead_worker_end_in_another_attempt(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    victim = fleet.start()
    run = client.enqueue("asteps", {"steps": 20, "seconds": 0.1})
    fleet.executing(run.run_id, 4)
    raw.config_set("maxmemory", 1)
    victim.kill()
    other = fleet.start(ready=False)
    time.sleep(4.0)  # a lease and a look
    raw.config_set("maxmemory", 0)

    assert other.running, other.text()
    assert run.result(20) == list(range(20))
    assert run.info().attempt == 2
    checker.check(over=True)
