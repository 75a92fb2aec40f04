"""Workers that are asked to end hand their runs over, at the cost of nothing."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
import redis

from penstock.runtime import Client
from penstock.runtime.client.run import RunHandle
from penstock.runtime.types.run import RunStatus
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import Fleet
from tests.support.until import until

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")


@pytest.mark.parametrize("entrypoint", ["steps", "asteps", "fan", "afan"])
def test_f15_a_drain_ends_after_the_running_step_and_burns_no_attempt(
    fleet: Fleet, client: Client, checker: Checker, entrypoint: str
) -> None:
    worker = fleet.start()
    run = client.enqueue(entrypoint, {"steps": 8, "seconds": 0.3})
    fleet.executing(run.run_id, 3)

    worker.term()
    assert worker.wait(5) == 0
    checker.check()
    assert run.status() is RunStatus.QUEUED or entrypoint.endswith("fan")
    recorded = checker.check().checkpoints(run.run_id)
    fleet.start()

    assert run.result(10) == list(range(8))
    assert run.info().attempt == 1
    assert run.info().crashes == 0
    executions = fleet.executions(run.run_id)
    steps = {name: times for name, times in executions.items() if name}
    assert set(steps.values()) == {1}, "a step that ran when the signal came was let end"
    assert len(recorded) > 1
    checker.check(over=True)


def test_f15_a_draining_worker_takes_nothing_new(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    worker = fleet.start()
    run = client.enqueue("steps", {"steps": 2, "seconds": 2.0})
    fleet.executing(run.run_id, 2)
    worker.term()
    until(lambda: any("handing its runs over" in entry["message"] for entry in worker.log()))

    late = client.enqueue("main", {"x": 1})

    assert worker.wait(5) == 0
    assert late.status() is RunStatus.QUEUED
    checker.check()


def test_f15_a_nap_does_not_hold_up_a_drain(fleet: Fleet, client: Client, checker: Checker) -> None:
    """A body that waits outside of any step has no boundary to wait for: it is cut."""
    worker = fleet.start(grace=1.0)
    run = client.enqueue("nap", 60.0)
    fleet.executing(run.run_id)

    started = time.monotonic()
    worker.term()
    assert worker.wait(5) == 0

    assert time.monotonic() - started < 3
    other = fleet.start()
    fleet.executing(run.run_id, 2, timeout=5)
    run.cancel()
    until(lambda: run.status() is RunStatus.CANCELLED)
    assert other.running
    checker.check(over=True)


@pytest.mark.parametrize(
    "entrypoint",
    ["steps", "asteps", "blocking"],
)
def test_f15_the_end_of_the_grace_cuts_what_still_runs(
    fleet: Fleet, client: Client, checker: Checker, entrypoint: str
) -> None:
    worker = fleet.start(grace=0.5)
    long = 60.0
    run = client.enqueue(entrypoint, long if entrypoint == "blocking" else {"seconds": long})
    fleet.executing(run.run_id, 1 if entrypoint == "blocking" else 2)

    started = time.monotonic()
    worker.term()
    worker.wait(4)

    assert time.monotonic() - started < 4
    times = len(fleet.journal(run.run_id))
    fleet.start()
    fleet.executing(run.run_id, times + 1, timeout=5)  # goes on elsewhere
    run.cancel()
    checker.check()


@pytest.mark.parametrize("entrypoint", ["steps", "asteps"])
def test_f15_a_second_signal_cuts_at_once(
    fleet: Fleet, client: Client, checker: Checker, entrypoint: str
) -> None:
    worker = fleet.start()
    run = client.enqueue(entrypoint, {"steps": 2, "seconds": 60.0})
    fleet.executing(run.run_id, 2)
    worker.term()
    until(lambda: any("handing its runs over" in entry["message"] for entry in worker.log()))
    time.sleep(1.1)  # two signals within a second count as one

    started = time.monotonic()
    worker.term()
    worker.wait(3)

    assert time.monotonic() - started < 3
    times = len(fleet.journal(run.run_id))
    fleet.start()
    fleet.executing(run.run_id, times + 1, timeout=5)
    run.cancel()
    checker.check()


def test_f15_a_supervisor_drains_all_its_children(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    supervisor = fleet.start(processes=2)
    runs = [client.enqueue("steps", {"steps": 20, "seconds": 0.2}) for _ in range(6)]
    until(lambda: len({line["run"] for line in fleet.journal()}) == 6)

    supervisor.term()

    assert supervisor.wait(6) == 0
    assert {run.status() for run in runs} == {RunStatus.QUEUED}
    assert {run.info().attempt for run in runs} == {1}
    assert raw.scard("rq:workers") == 0
    assert supervisor.logged("worker.died") == []
    checker.check()


def test_a_signal_while_it_starts_ends_a_supervisor(fleet: Fleet) -> None:
    supervisor = fleet.start(processes=2, ready=False)
    until(lambda: "subscribing" in supervisor.text())

    supervisor.term()

    supervisor.wait(10)


def test_f16_a_rolling_restart_under_load_finishes_every_run(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    workers = [fleet.start() for _ in range(2)]
    everyone = list(workers)
    runs: list[RunHandle] = []
    for index in range(2):
        for kind in ("steps", "asteps"):
            runs += [client.enqueue(kind, {"steps": 12, "seconds": 0.1}) for _ in range(4)]
        fleet.executing(runs[-1].run_id)
        old, workers[index] = workers[index], fleet.start()
        everyone.append(workers[index])
        old.term()
        assert old.wait(10) == 0
        checker.check()

    for run in runs:
        assert run.result(20) == list(range(12))
    assert {run.info().attempt for run in runs} == {1}
    journal = fleet.journal()
    for run in runs:
        lines = [line for line in journal if line["run"] == run.run_id]
        gaps = [b["time"] - a["time"] for a, b in pairwise(lines)]
        assert max(gaps) < 2.2, "a run waited longer than 2 s for its next worker"
    for event in ("run.requeued", "run.recovered"):
        assert [worker.logged(event) for worker in everyone] == [[]] * 4, (
            "a run was found, not given"
        )
    checker.check(over=True)
