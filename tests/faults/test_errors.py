"""What steps may raise, and how often they are tried again."""

from __future__ import annotations

import itertools

import pytest

from penstock.runtime import Client
from penstock.runtime.errors import RunFailedError
from penstock.runtime.types.run import RunStatus
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import Fleet
from tests.support.until import reaches, until

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")

KINDS = {
    "exit": "raised SystemExit itself: 3",
    "interrupt": "raised KeyboardInterrupt itself",
    "cancelled": "CancelledError",
    "fatal": "Fatal.*no Exception",
    "unpicklable": "Unpicklable",
    "large": "ValueError: xxx",
    "deep": "RecursionError",
    "group": "ExceptionGroup: several",
}


@pytest.mark.parametrize("entrypoint", ["trouble", "atrouble"])
def test_f70_whatever_a_step_raises_fails_its_run_alone(
    fleet: Fleet, client: Client, checker: Checker, entrypoint: str
) -> None:
    worker = fleet.start()
    runs = {kind: client.enqueue(entrypoint, kind) for kind in KINDS}
    others = [client.enqueue("asteps", {"steps": 5, "seconds": 0.1}) for _ in range(3)]

    for kind, run in runs.items():
        with pytest.raises(RunFailedError, match=KINDS[kind]):
            run.result(10)

    assert [run.result(10) for run in others] == [list(range(5))] * 3
    assert {run.info().attempt for run in runs.values()} == {1}
    assert worker.running
    now = checker.check(over=True)
    stored = now.checkpoints(runs["large"].run_id)
    assert sum(len(text) for text in stored.values()) < 100_000
    assert client.enqueue("main", {"x": 1}).result(5) == 2


def test_f72_one_try_is_one(fleet: Fleet, client: Client, checker: Checker) -> None:
    fleet.start()
    run = client.enqueue("unreachable", "once")

    with pytest.raises(RunFailedError, match="ConnectionError: away"):
        run.result(5)

    assert fleet.executions(run.run_id) == {"once:0": 1}
    checker.check(over=True)


def test_f72_a_wait_of_ages_can_be_cancelled(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    fleet.start()
    run = client.enqueue("unreachable", "ages")
    fleet.executing(run.run_id)

    run.cancel()

    reaches(run, RunStatus.CANCELLED)
    checker.check(over=True)


def test_f72_a_wait_of_ages_does_not_hold_up_a_drain(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    worker = fleet.start()
    run = client.enqueue("unreachable", "ages")
    fleet.executing(run.run_id)

    worker.term()

    assert worker.wait(10) == 0
    assert run.status() in (RunStatus.QUEUED, RunStatus.SUSPENDED)  # handed over, or asleep
    assert run.info().crashes == 0
    checker.check()


def test_f72_a_death_between_two_tries_costs_no_try_and_no_wait(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    victim = fleet.start()
    run = client.enqueue("unreachable", "patient")
    fleet.executing(run.run_id)
    until(lambda: "step.retry" in [each.mode for each in checker.check().events(run.run_id)])
    victim.kill()

    fleet.start()

    with pytest.raises(RunFailedError, match="ConnectionError: away"):
        run.result(20)
    assert run.info().attempt == 2
    tries = fleet.journal(run.run_id)
    assert [line["attempt"] for line in tries] == [1, 2, 2]
    assert all(late["time"] - early["time"] >= 1.4 for early, late in itertools.pairwise(tries))
    log = checker.check(over=True).events(run.run_id)
    ended = [entry for entry in log if entry.mode == "step.finished"]
    assert len(ended) == 1
    until(lambda: run.status() is RunStatus.FAILED)
