"""Workers that stand still: frozen, blocked, or slow."""

from __future__ import annotations

import time

import redis

from penstock.runtime import Client
from penstock.runtime.types.run import RunStatus
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import Fleet
from tests.support.until import reaches, until


def test_f11_a_zombie_in_the_middle_of_a_step_is_fenced(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    zombie = fleet.start()
    run = client.enqueue("talk", {"steps": 20, "seconds": 0.2})
    fleet.executing(run.run_id, 4)
    zombie.stop()
    other = fleet.start()
    until(lambda: fleet.journal(run.run_id)[-1]["pid"] == other.pid, 10)

    zombie.cont()  # both run now, and only one may write
    result = run.result(20)

    assert result == 20
    assert run.info().attempt == 2
    until(lambda: zombie.logged("run.lost"), 5)
    assert len(zombie.logged("lease.lost")) <= 1  # none, where a write was refused sooner
    of_zombie = [line for line in fleet.journal(run.run_id) if line["pid"] == zombie.pid]
    assert len(of_zombie) <= 6  # it stopped at once, not at the end of the run
    assert zombie.running
    assert client.enqueue("main", {"x": 1}).result(5) == 2
    checker.check(over=True)


def test_f12_a_pause_shorter_than_the_lease_costs_nothing(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    environ = {"PENSTOCK_LEASE": "4", "PENSTOCK_RENEW": "0.5"}
    worker = fleet.start(environ=environ)
    run = client.enqueue("asteps", {"steps": 10, "seconds": 0.1})
    fleet.executing(run.run_id, 3)
    other = fleet.start(environ=environ)

    worker.stop()
    time.sleep(2.0)  # half a lease: the fault itself
    worker.cont()

    assert run.result(10) == list(range(10))
    assert run.info().attempt == 1
    assert {line["pid"] for line in fleet.journal(run.run_id)} == {worker.pid}
    assert other.running
    checker.check(over=True)


def test_f13_a_blocked_event_loop_keeps_its_lease(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    worker = fleet.start()
    other = fleet.start()
    run = client.enqueue("blocking", 5.0)

    assert run.result(15) == 5.0

    assert run.info().attempt == 1
    mine = worker if worker.pid == fleet.journal(run.run_id)[0]["pid"] else other
    lines = [entry for entry in mine.log() if "blocked" in entry["message"]]
    assert len(lines) == 1
    assert run.run_id in lines[0]["message"]
    assert "flows.py" in lines[0]["message"]
    checker.check(over=True)


def test_f14_a_process_that_lets_no_thread_run_loses_its_lease(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    workers = [fleet.start(), fleet.start()]
    run = client.enqueue("hold", 6)

    assert run.result(25) == [1, 2]

    assert run.info().attempt == 2
    lines = fleet.journal(run.run_id)
    held = next(worker for worker in workers if worker.pid == lines[0]["pid"])
    assert {line["pid"] for line in lines if line["attempt"] == 2} != {held.pid}
    until(lambda: held.logged("run.lost"), 10)
    assert held.running
    checker.check(over=True)


def test_a_blocked_event_loop_does_not_keep_sync_runs_waiting_elsewhere(
    fleet: Fleet, client: Client
) -> None:
    fleet.start()
    fleet.start()
    blocked = client.enqueue("blocking", 30.0)
    fleet.executing(blocked.run_id)

    held = 0
    for number in range(10):
        run = client.enqueue("main", {"x": number})
        reaches(run, RunStatus.RUNNING, RunStatus.COMPLETED)
        try:
            assert run.result(2) == 2 * number
        except TimeoutError:
            held += 1  # the blocked worker has claimed it

    assert held <= 1
    assert blocked.status() is RunStatus.RUNNING


def test_f73_two_workers_of_one_name_are_kept_apart(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    one = fleet.start(name="same")
    run = client.enqueue("asteps", {"steps": 10, "seconds": 0.1})
    fleet.executing(run.run_id, 2)
    one.stop()
    raw.delete("rq:worker:same")  # as its TTL would
    other = fleet.start(name="same")
    until(lambda: fleet.journal(run.run_id)[-1]["pid"] == other.pid, 10)
    one.cont()

    assert run.result(10) == list(range(10))
    checker.check(over=True)
