"""Workers that die: their runs go on elsewhere, from the last recorded step."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import pytest
import redis

from penstock.publisher import subscribe
from penstock.publisher.event import Event
from penstock.runtime import Client
from penstock.runtime.client.run import RunHandle
from penstock.runtime.errors import PoisonRunError
from penstock.runtime.types.run import RunStatus
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import QUICK, Fleet
from tests.support.until import until

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")

SOON = 2.5
"""Within so many seconds a run goes on whose process died, 99 times of 100: see the bench."""


class Listener:
    """Follows all facts of a run in a thread."""

    def __init__(self, url: str, run_id: str) -> None:
        self.events: list[Event] = []
        self._thread = threading.Thread(target=self._follow, args=[url, run_id], daemon=True)
        self._thread.start()

    def _follow(self, url: str, run_id: str) -> None:
        with subscribe(run_id, connection=url) as events:
            for event in events:
                self.events.append(event)

    def all(self) -> list[Event]:
        self._thread.join(10)
        assert not self._thread.is_alive(), "the run's terminal event never came"
        return self.events


def child_of(raw: redis.Redis, run: RunHandle) -> int:
    """The process that executes a run."""
    name = until(lambda: run.info().worker)
    pid: Any = raw.hget(f"rq:worker:{name}", "pid")
    return int(pid)


def death_of(raw: redis.Redis, run: RunHandle) -> str:
    """What Redis has been told of a run's first worker: its supervisor says more than a lease."""
    told: Any = raw.hget(f"penstock:run:{run.run_id}", "death:1")
    return str(told.decode())


def test_f03_a_killed_workers_run_goes_on_within_ten_seconds(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    fleet.start(environ={})
    fleet.start(environ={})
    run = client.enqueue("steps", {"steps": 8, "seconds": 0.2}, durability="sync")
    listener = Listener(fleet.url, run.run_id)
    fleet.executing(run.run_id, 5)

    fleet.where(raw, run.run_id).kill()
    killed = time.time()
    last = fleet.journal(run.run_id)[-1]  # of the dead: its lease is not over yet

    assert run.result(20) == list(range(8))
    again = next(line for line in fleet.journal(run.run_id) if line["attempt"] == 2)
    assert again["time"] - killed <= 10
    executions = fleet.executions(run.run_id)
    assert {step for step, times in executions.items() if times > 1} <= {"", last["step"]}
    assert run.info().attempt == 2
    assert run.info().crashes == 1
    checker.check(over=True)
    checker.check_seen(run.run_id, listener.all())


def test_f03_a_killed_worker_takes_no_others_with_it(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    workers = [fleet.start(concurrency=10) for _ in range(2)]
    runs = [client.enqueue("steps", {"steps": 5, "seconds": 0.3}) for _ in range(20)]
    pids = {worker.pid for worker in workers}
    until(lambda: {line["pid"] for line in fleet.journal()} == pids)

    workers[0].kill()

    for run in runs:
        assert run.result(20) == list(range(5))
    assert {run.info().attempt for run in runs} == {1, 2}
    checker.check(over=True)


@pytest.mark.parametrize("durability", ["sync", "async"])
def test_f05_a_recorded_step_is_never_executed_again(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker, durability: Any
) -> None:
    fleet.start()
    run = client.enqueue("steps", {"steps": 6, "seconds": 0.1}, durability=durability)
    fleet.executing(run.run_id, 4)
    before = checker.check().checkpoints(run.run_id)

    fleet.where(raw, run.run_id).kill()
    recorded = checker.check().checkpoints(run.run_id)
    fleet.start()

    assert run.result(20) == list(range(6))
    assert before.keys() <= recorded.keys()
    executions = fleet.executions(run.run_id)
    assert all(executions[name] == 1 for name in recorded if name.startswith("step:"))
    checker.check(over=True)


def test_f09_runs_outlive_all_workers(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    workers = [fleet.start() for _ in range(2)]
    runs = [client.enqueue("steps", {"steps": 4, "seconds": 0.1}) for _ in range(6)]
    until(lambda: len(fleet.journal()) > 12)
    for worker in workers:
        worker.kill()
    late = client.enqueue("main", {"x": 1})

    fleet.start()

    assert [run.result(20) for run in runs] == [list(range(4))] * 6
    assert late.result(5) == 2
    checker.check(over=True)


def test_f10_a_dead_child_of_a_supervisor_gives_its_runs_back_at_once(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    supervisor = fleet.start(processes=2, environ={})
    run = client.enqueue("steps", {"steps": 6, "seconds": 0.2})
    fleet.executing(run.run_id, 4)

    os.kill(child_of(raw, run), signal.SIGKILL)
    killed = time.time()

    assert run.result(20) == list(range(6))
    again = next(line for line in fleet.journal(run.run_id) if line["attempt"] == 2)
    assert again["time"] - killed <= SOON
    assert "SIGKILL" in death_of(raw, run)
    supervisor.ready(3)
    assert raw.scard("rq:workers") == 2
    assert "SIGKILL" in supervisor.logged("worker.died")[0]["message"]
    checker.check(over=True)


def test_f10_all_children_die_at_once(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    supervisor = fleet.start(processes=3, environ={})
    runs = [client.enqueue("steps", {"steps": 6, "seconds": 0.2}) for _ in range(9)]
    until(lambda: len({line["run"] for line in fleet.journal()}) == 9)

    pids = {child_of(raw, run) for run in runs}
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    killed = time.time()

    assert [run.result(20) for run in runs] == [list(range(6))] * 9
    supervisor.ready(3 + len(pids))
    again = [line["time"] for line in fleet.journal() if line["attempt"] == 2]
    assert min(again) - killed <= SOON
    assert max(again) - killed <= 5
    assert all("SIGKILL" in death_of(raw, run) for run in runs)
    checker.check(over=True)


def test_f17_a_run_that_kills_its_workers_is_given_up(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    fleet.start(processes=2)
    poison = client.enqueue("deadly", "SIGKILL", durability="sync")

    with pytest.raises(PoisonRunError, match="SIGKILL"):
        poison.result(30)

    assert fleet.executions(poison.run_id) == {"": 3, "step:0": 1}
    deaths = checker.check(over=True).runs()[poison.run_id]
    assert all("SIGKILL" in deaths[f"death:{number}"] for number in (1, 2, 3))


def test_f17_innocent_runs_of_the_same_process_are_not(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    fleet.start(processes=1)
    poison = client.enqueue("deadly", "SIGKILL", durability="sync")
    others = [client.enqueue("steps", {"steps": 20, "seconds": 0.05}) for _ in range(3)]

    until(lambda: poison.status() is RunStatus.FAILED, 30)

    assert [run.result(20) for run in others] == [list(range(20))] * 3
    checker.check(over=True)


def test_f17_a_run_given_up_names_its_last_step(fleet: Fleet, client: Client) -> None:
    fleet.start(processes=1)
    poison = client.enqueue("deadly", "SIGKILL", durability="sync")

    with pytest.raises(PoisonRunError, match="step:0"):
        poison.result(30)


def test_f17_a_poison_run_can_be_tried_again_by_hand(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    fleet.start(processes=1)
    poison = client.enqueue("deadly", "SIGKILL", durability="sync")
    until(lambda: poison.status() is RunStatus.FAILED, 20)

    poison.resume()

    until(lambda: fleet.executions(poison.run_id)[""] > 3)
    assert fleet.executions(poison.run_id)["step:0"] == 1
    poison.cancel()
    until(lambda: poison.status() in (RunStatus.CANCELLED, RunStatus.FAILED), 20)
    checker.check(over=True)


def test_f18_a_run_that_creeps_on_is_given_up_too(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    fleet.start(processes=2, environ={**QUICK, "PENSTOCK_CRASHES": "2"})
    run = client.enqueue("creeping", None, durability="sync")

    with pytest.raises(PoisonRunError):
        run.result(60)

    assert run.info().crashes == 8  # four times as many as where it does not creep on
    checker.check(over=True)


def test_a_lost_ticket_is_rung_for_again(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    runs = [client.enqueue("main", {"x": number}, queue="gpu") for number in range(10)]
    assert raw.delete("rq:queue:gpu") == 1
    fleet.start(queues=("gpu",))

    assert [run.result(6) for run in runs] == [2 * number for number in range(10)]
    assert {run.info().attempt for run in runs} == {1}
    checker.check(over=True)


def test_rqs_own_cleanup_and_deleted_jobs_lose_nothing(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    runs = [client.enqueue("main", {"x": number}) for number in range(5)]
    for run in runs:
        raw.delete(f"rq:job:{run.run_id}")
    fleet.start()

    assert [run.result(6) for run in runs] == [2 * number for number in range(5)]
    checker.check(over=True)


@pytest.mark.parametrize("where", ["queued", "running", "suspended"])
def test_the_job_of_a_run_deleted_by_rq_changes_nothing(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker, where: str
) -> None:
    if where == "queued":
        run = client.enqueue("ask", "well?")
    else:
        fleet.start()
        run = client.enqueue("ask" if where == "suspended" else "asteps", _ask_or_steps(where))
        fleet.executing(run.run_id)
        if where == "suspended":
            run.result(5)
    raw.delete(f"rq:job:{run.run_id}")
    if where == "queued":
        fleet.start()
        run.result(5)

    if where != "running":
        run.resume("yes")
        assert run.result(5) == [1, "yes", 2]
    else:
        assert run.result(5) == [0, 1, 2]
    checker.check(over=True)


def _ask_or_steps(where: str) -> Any:
    return "well?" if where == "suspended" else {"steps": 3, "seconds": 0.2}


def test_f45_garbage_in_a_queue_is_dropped(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    worker = fleet.start()
    garbage: list[bytes] = [b"\xff\xfe\x00", b"", b"unknown", b"{}", b"../x", b"a:b" * 1000]
    raw.hset("rq:job:corrupt", mapping={"status": "no such status", "data": "x"})
    raw.hset(b"rq:job:\xff\xfe", mapping={"status": "queued", "data": "x"})
    raw.set("rq:job:string", "x")
    run = client.enqueue("main", {"x": 1})
    raw.rpush("rq:queue:default", *garbage, b"corrupt", b"\xff\xfe", b"string")
    raw.rpush("rq:queue:default", *[run.run_id] * 1000)
    after = client.enqueue("main", {"x": 2})

    assert run.result(5) == 2
    assert after.result(5) == 4
    until(lambda: raw.llen("rq:queue:default") == 0)
    assert worker.running
    assert fleet.start().running  # also of what is left from the garbage
    assert client.enqueue("main", {"x": 3}).result(5) == 6
    assert run.info().attempt == 1
    checker.check(over=True)
