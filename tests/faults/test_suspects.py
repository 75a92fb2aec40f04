"""What a run is given up for: deaths in which it was by itself; not those of its neighbours."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import redis

from penstock.runtime import Client
from penstock.runtime.client.run import RunHandle
from penstock.runtime.types.run import RunStatus
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import QUICK, Fleet
from tests.support.server import RedisServer
from tests.support.until import reaches, until

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")

FLOWS = """
import os, time
from penstock.runtime import entrypoint, task

@task
def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds

@entrypoint()
def harmless(seconds: float) -> float:
    return nap(seconds).result()

@task
def crash(after: float) -> None:
    time.sleep(after)
    os._exit(3)

@entrypoint()
def harmful(after: float) -> None:
    crash(after).result()
"""


@pytest.fixture
def app(tmp_path: Path) -> str:
    path = tmp_path / "suspects.py"
    path.write_text(FLOWS)
    return str(path)


def test_f17_a_redis_that_stands_still_convicts_nobody(
    fleet: Fleet, client: Client, server: RedisServer, checker: Checker
) -> None:
    environ = {**QUICK, "PENSTOCK_CRASHES": "2"}
    workers = [fleet.start(environ=environ), fleet.start(environ=environ)]
    run = client.enqueue("nap", 9.0)

    for _ in range(3):
        until(lambda: run.status() is RunStatus.RUNNING)
        before = run.info().attempt
        server.pause()
        time.sleep(3)  # longer than a lease: the fault itself
        server.resume()
        _goes_on_innocent(run, before)

    assert run.result(30) == 9.0
    assert all(worker.running for worker in workers)
    checker.check(over=True)


def _goes_on_innocent(run: RunHandle, before: int) -> None:
    until(lambda: run.info().attempt > before)
    until(lambda: run.info().crashes == 0)


def test_f17_a_suspended_process_that_comes_back_has_not_died(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    fleet.start()
    fleet.start()
    run = client.enqueue("nap", 6.0)
    fleet.executing(run.run_id)
    suspended = fleet.where(raw, run.run_id)

    suspended.stop()
    until(lambda: run.info().attempt == 2)
    assert run.info().crashes == 1
    suspended.cont()

    until(lambda: run.info().crashes == 0)
    assert run.status() is RunStatus.RUNNING
    assert run.result(20) == 6.0
    checker.check(over=True)


def test_f17_a_process_that_lets_no_thread_run_has_not_died(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    fleet.start()
    fleet.start()
    run = client.enqueue("hold", 4)

    reaches(run, RunStatus.COMPLETED, timeout=25)
    assert run.info().attempt == 2
    checker.check(over=True)


def test_f17_harmless_runs_beside_several_harmful_ones_complete(
    fleet: Fleet, client: Client, checker: Checker, app: str
) -> None:
    fleet.start(app=app, processes=2)
    harmless = [client.enqueue("harmless", 2.0) for _ in range(6)]

    for _ in range(3):
        harmful = client.enqueue("harmful", 0.2)
        reaches(harmful, RunStatus.FAILED, timeout=60)
        assert harmful.info().reason.startswith("PoisonRunError: 3 workers died of it")

    assert [run.result(60) for run in harmless] == [2.0] * 6
    checker.check(over=True)


def test_f17_a_harmful_run_among_many_is_found_and_given_up(
    fleet: Fleet, client: Client, checker: Checker, app: str
) -> None:
    fleet.start(app=app, processes=1)
    runs = [client.enqueue("harmless", 1.0) for _ in range(5)]
    harmful = client.enqueue("harmful", 0.1)
    runs += [client.enqueue("harmless", 1.0) for _ in range(5)]

    reaches(harmful, RunStatus.FAILED, timeout=60)

    assert [run.result(60) for run in runs] == [1.0] * 10
    assert harmful.info().crashes <= 5  # two beside others at most, and three by itself
    checker.check(over=True)


def test_f17_a_suspect_waits_for_the_end_of_what_its_worker_has(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    fleet.start()
    first = client.enqueue("nap", 3.0)
    fleet.executing(first.run_id)
    raw.set("rq:suspended", 1)
    suspect = client.enqueue("nap", 0.5)
    raw.hset(f"penstock:run:{suspect.run_id}", "crashes", 2)
    raw.delete("rq:suspended")
    until(lambda: raw.hget(f"penstock:run:{suspect.run_id}", "reserved"))
    later = client.enqueue("nap", 0.1)

    assert [run.result(20) for run in (first, suspect, later)] == [3.0, 0.5, 0.1]

    began = {line["run"]: line["time"] for line in fleet.journal()}
    assert began[suspect.run_id] - began[first.run_id] >= 3
    assert began[later.run_id] - began[suspect.run_id] >= 0.5
    checker.check(over=True)
