"""Runs that wait for a time: away from any process, through every death, to the moment."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
import redis

import tests.faults.support.timed as timed
from penstock.runtime import Client
from penstock.runtime.client.run import RunHandle
from penstock.runtime.errors import ResumeError, RunCancelledError, ThreadBusyError
from penstock.runtime.types.run import RunStatus
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import QUICK, Fleet, WorkerProcess
from tests.support.until import reaches, until

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")

APP = str(Path(timed.__file__))
HASTY = {**QUICK, "PENSTOCK_PATIENCE": "0.2"}
"""Any wait of more than a moment leaves the process."""


def start(fleet: Fleet) -> WorkerProcess:
    return fleet.start(app=APP, environ=HASTY)


def asleep(run: RunHandle) -> None:
    reaches(run, RunStatus.SUSPENDED)
    assert not run.info().asks
    assert run.info().wakes_at is not None


@pytest.mark.parametrize("name", ["retries", "aretries"])
def test_f72_a_long_wait_for_a_retry_leaves_the_process_and_counts_once(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker, name: str
) -> None:
    start(fleet)
    run = client.enqueue(name, 2)
    asleep(run)

    assert raw.zcard("penstock:leases") == 0
    checker.check()
    assert run.result(10) == ["before", 2, "after"]

    step = "flaky:0" if name == "retries" else "aflaky:0"
    assert fleet.executions(run.run_id) == {"quick:0": 1, step: 3, "quick:1": 1}
    assert run.info().attempt == 1
    checker.check(over=True)


def test_f72_a_retry_that_is_used_up_fails_the_run_and_going_on_tries_anew(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    start(fleet)
    run = client.enqueue("retries", 4)
    reaches(run, RunStatus.FAILED)
    assert fleet.executions(run.run_id)["flaky:0"] == 3

    run.resume()

    until(lambda: run.status() is RunStatus.COMPLETED)
    assert fleet.executions(run.run_id) == {"quick:0": 1, "flaky:0": 5, "quick:1": 1}
    checker.check(over=True)


@pytest.mark.parametrize("name", ["nap", "anap"])
def test_a_sleeping_run_outlives_all_workers(
    fleet: Fleet, client: Client, checker: Checker, name: str
) -> None:
    first = start(fleet)
    run = client.enqueue(name, 1.5)
    asleep(run)
    first.kill()
    due = run.info().wakes_at
    assert due is not None

    start(fleet)

    assert run.result(10) == "after"
    finished = run.info().finished_at
    assert finished is not None and finished >= due
    assert fleet.executions(run.run_id) == {"quick:0": 1, "quick:1": 1}
    assert run.info().attempt == 1
    checker.check(over=True)


def test_a_worker_that_dies_as_it_wakes_a_run_does_not_lose_it(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    fault = {"PENSTOCK_TEST_FAULT": "take:2:after:kill"}
    first = fleet.start(app=APP, environ={**HASTY, **fault}, ready=False)
    run = client.enqueue("nap", 0.5)
    assert first.wait(20) == -9
    checker.check()

    start(fleet)

    assert run.result(10) == "after"
    assert fleet.executions(run.run_id)["quick:1"] == 1
    checker.check(over=True)


def test_a_stream_goes_on_through_a_sleep(fleet: Fleet, client: Client) -> None:
    start(fleet)
    run = client.enqueue("nap", 0.6)

    chunks = [event.data for event in run.stream("updates")]

    assert chunks == [{"quick": "before"}, {"quick": "after"}, {"nap": "after"}]


def test_sleeping_steps_sleep_at_the_same_time(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    start(fleet)
    run = client.enqueue("naps", [0.5, 1.0, 0.7])

    assert run.result(10) == [0.5, 1.0, 0.7]

    checker.check(over=True)


def test_a_cancel_reaches_a_sleeping_run(fleet: Fleet, client: Client, checker: Checker) -> None:
    start(fleet)
    run = client.enqueue("nap", 60.0)
    asleep(run)

    assert run.cancel() is RunStatus.CANCELLED

    with pytest.raises(RunCancelledError):
        run.result(5)
    checker.check(over=True)


def test_a_sleeping_run_keeps_its_thread(fleet: Fleet, client: Client, checker: Checker) -> None:
    start(fleet)
    run = client.enqueue("nap", 1.0, thread_id="t")
    asleep(run)
    behind = client.enqueue("nap", 0.0, thread_id="t")
    with pytest.raises(ThreadBusyError):
        client.enqueue("nap", 0.0, thread_id="t", on_busy="reject")
    with pytest.raises(ResumeError):
        run.resume("what for?")

    assert behind.status() is RunStatus.QUEUED
    assert run.result(10) == "after"
    assert behind.result(10) == "after"
    checker.check(over=True)


@pytest.mark.parametrize(
    ("told", "answer"), [({"default": None}, None), ({"default": 7}, 7), ({}, "nobody")]
)
def test_an_interrupt_that_nobody_answers_goes_on_without(
    fleet: Fleet, client: Client, checker: Checker, told: dict[str, Any], answer: Any
) -> None:
    start(fleet)
    run = client.enqueue("asks", {"timeout": 0.6, **told})
    reaches(run, RunStatus.SUSPENDED)
    assert run.info().asks

    reaches(run, RunStatus.COMPLETED)

    assert run.result(5) == answer
    assert run.result(5) == answer
    with pytest.raises(ResumeError):
        run.resume("too late")
    checker.check(over=True)


def test_an_answer_in_time_counts(fleet: Fleet, client: Client, checker: Checker) -> None:
    start(fleet)
    run = client.enqueue("asks", {"timeout": 30.0})
    reaches(run, RunStatus.SUSPENDED)

    run.resume("yes")

    assert run.result(10) == "yes"
    checker.check(over=True)


def test_an_answer_that_races_with_the_time_limit_has_one_outcome(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    start(fleet)
    start(fleet)
    runs = [client.enqueue("asks", {"timeout": 1.0}) for _ in range(20)]
    for run in runs:
        reaches(run, RunStatus.SUSPENDED)
    accepted: dict[str, bool] = {}

    def answer(run: RunHandle) -> None:
        due = run.info().wakes_at
        assert due is not None
        time.sleep(max(0.0, due.timestamp() - time.time() + 0.02 * (len(accepted) % 20)))
        try:
            run.resume("yes")
            accepted[run.run_id] = True
        except ResumeError:
            accepted[run.run_id] = False

    threads = [threading.Thread(target=answer, args=[run]) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for run in runs:
        reaches(run, RunStatus.COMPLETED)
        assert run.result(5) == ("yes" if accepted[run.run_id] else "nobody")
    checker.check(over=True)


def test_f62_a_thousand_timers_at_once_all_fire(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    worker = start(fleet)
    runs = [client.enqueue("anap", 3600.0) for _ in range(1000)]
    until(lambda: raw.zcard("penstock:timers") == 1000, 60)
    worker.kill()
    for run in runs:  # as if the hour were over
        raw.hset(f"penstock:checkpoints:{run.run_id}", ":%0", "1")
    raw.zadd("penstock:timers", {run.run_id: 1 for run in runs})

    start(fleet)

    assert {run.result(60) for run in runs} == {"after"}
    assert raw.zcard("penstock:timers") == 0
    checker.check(over=True)
