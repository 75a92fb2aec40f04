"""One thread, one running run: whatever is enqueued on it, and whoever dies meanwhile."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest
import redis

from penstock.runtime import Client
from penstock.runtime.client.run import RunHandle
from penstock.runtime.errors import RunCancelledError, ThreadBusyError
from penstock.runtime.redis.keys import thread_key
from penstock.runtime.types.run import RunStatus
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import Fleet
from tests.support.until import reaches

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")


def test_f77_queued_runs_of_a_thread_follow_each_other_in_order(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    for _ in range(2):
        fleet.start()

    runs = [client.enqueue("add", 10**number, thread_id="t") for number in range(8)]

    assert [run.result(10) for run in runs] == [int("1" * n) for n in range(1, 9)]
    assert [line["number"] for line in fleet.journal()] == [10**number for number in range(8)]
    checker.check(over=True)


def test_different_threads_do_not_wait_for_each_other(fleet: Fleet, client: Client) -> None:
    fleet.start()
    slow = client.enqueue("asteps", {"seconds": 10.0}, thread_id="slow")
    fleet.executing(slow.run_id)
    behind = client.enqueue("add", 1, thread_id="slow")

    assert client.enqueue("add", 1, thread_id="quick").result(3) == 1
    assert behind.status() is RunStatus.QUEUED
    slow.cancel()
    assert behind.result(5) == 1


def test_reject_refuses_while_the_thread_is_busy(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    run = client.enqueue("slow_add", 1, thread_id="t")
    before = checker.check()

    with pytest.raises(ThreadBusyError) as queued:
        client.enqueue("add", 2, thread_id="t", on_busy="reject")
    assert checker.check().ttls.keys() == before.ttls.keys()
    fleet.start()
    fleet.executing(run.run_id)
    with pytest.raises(ThreadBusyError) as running:
        client.enqueue("add", 2, thread_id="t", on_busy="reject")

    assert queued.value.run_id == running.value.run_id == run.run_id
    assert run.result(10) == 1
    assert client.enqueue("add", 2, thread_id="t", on_busy="reject").result(5) == 3
    checker.check(over=True)


@pytest.mark.parametrize(
    "on_busy",
    [
        "interrupt",
        "rollback",
    ],
)
def test_new_input_stops_the_run_at_work(
    fleet: Fleet, client: Client, checker: Checker, on_busy: Any
) -> None:
    fleet.start()
    assert client.enqueue("add", 1, thread_id="t").result(5) == 1
    old = client.enqueue("slow_add", 10, thread_id="t")
    fleet.executing(old.run_id, 3)

    new = client.enqueue("add", 100, thread_id="t", on_busy=on_busy)

    assert new.result(5) == 101  # what was stopped never saved
    with pytest.raises(RunCancelledError, match=on_busy):
        old.result(1)
    assert checker.check(over=True).checkpoints(old.run_id).keys() >= {"input", "step:0"}


@pytest.mark.parametrize("on_busy", ["interrupt", "rollback"])
def test_new_input_stops_a_run_that_is_still_queued(
    fleet: Fleet, client: Client, checker: Checker, on_busy: Any
) -> None:
    old = client.enqueue("add", 10, thread_id="t")

    new = client.enqueue("add", 100, thread_id="t", on_busy=on_busy)

    assert old.status() is RunStatus.CANCELLED
    checker.check()
    fleet.start()
    assert new.result(5) == 100
    assert fleet.journal(old.run_id) == []
    checker.check(over=True)


def test_new_input_closes_a_run_that_waits(fleet: Fleet, client: Client, checker: Checker) -> None:
    fleet.start()
    old = client.enqueue("ask", "well?", thread_id="t")
    old.result(5)

    new = client.enqueue("add", 1, thread_id="t")

    assert new.result(5) == 1
    with pytest.raises(RunCancelledError, match="superseded"):
        old.result(1)
    checker.check(over=True)


def test_a_queued_run_of_a_thread_can_be_cancelled(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    runs = [client.enqueue("add", 10**number, thread_id="t") for number in range(4)]

    assert runs[1].cancel() is RunStatus.CANCELLED
    assert runs[0].cancel() is RunStatus.CANCELLED
    checker.check()
    fleet.start()

    assert [run.result(5) for run in runs[2:]] == [100, 1100]
    checker.check(over=True)


def test_f77_a_killed_worker_leaves_the_order_of_a_thread_as_it_was(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    for _ in range(2):
        fleet.start()
    first = client.enqueue("slow_add", 1, thread_id="t")
    fleet.executing(first.run_id, 3)
    rest = [client.enqueue("add", 10**number, thread_id="t") for number in (1, 2, 3)]

    fleet.where(raw, first.run_id).kill()

    assert first.result(15) == 1
    assert [run.result(5) for run in rest] == [11, 111, 1111]
    assert first.info().attempt == 2
    checker.check(over=True)


@pytest.mark.parametrize("seed", [1])
def test_f77_racing_enqueues_and_a_dying_worker_leave_one_run_at_a_time(
    fleet: Fleet, client: Client, checker: Checker, seed: int
) -> None:
    chance = random.Random(seed)
    victim, _ = fleet.start(), fleet.start()
    plan = [[chance.choice(["queue", "reject", "interrupt", "rollback"]) for _ in range(5)]
            for _ in range(4)]  # fmt: skip
    runs: list[RunHandle] = []
    barrier = threading.Barrier(5)

    def enqueue(policies: list[Any]) -> None:
        with Client(fleet.url) as own:
            barrier.wait()
            for policy in policies:
                try:
                    runs.append(own.enqueue("slow_add", 1, thread_id="t", on_busy=policy))
                except ThreadBusyError:
                    continue

    threads = [threading.Thread(target=enqueue, args=[policies]) for policies in plan]
    for thread in threads:
        thread.start()
    barrier.wait()
    for _ in range(10):
        checker.check()  # I14: at no moment are two at work
    victim.kill()
    for thread in threads:
        thread.join()
    for run in runs:
        reaches(run, RunStatus.COMPLETED, RunStatus.CANCELLED, timeout=60)

    done = [run for run in runs if run.status() is RunStatus.COMPLETED]
    assert sorted(run.result(1) for run in done) == list(range(1, len(done) + 1))
    checker.check(over=True)


def test_f65_a_deleted_run_does_not_block_its_thread(
    fleet: Fleet, client: Client, raw: redis.Redis
) -> None:
    fleet.start()
    old = client.enqueue("slow_add", 1, thread_id="t")
    fleet.executing(old.run_id, 2)
    behind = client.enqueue("add", 10, thread_id="t")

    raw.delete(f"penstock:run:{old.run_id}")

    assert behind.result(5) == 10
    assert client.enqueue("add", 100, thread_id="t").result(5) == 110


@pytest.mark.parametrize("what", ["thread", "waiting"])
def test_f65_a_threads_deleted_keys_do_not_keep_its_runs_from_beginning(
    fleet: Fleet, client: Client, raw: redis.Redis, what: str
) -> None:
    runs = [client.enqueue("slow_add", number, thread_id="t") for number in (1, 10, 100)]
    fleet.start()
    fleet.executing(runs[0].run_id, 2)

    raw.delete(f"penstock:{what}:{thread_key('t')}")

    for run in runs:
        reaches(run, RunStatus.COMPLETED, timeout=20)
    assert client.enqueue("add", 1000, thread_id="t").result(5) >= 1100


def test_a_thread_that_began_as_a_runs_own_lives_as_long_as_the_runs_on_it(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    fleet.start()
    first = client.enqueue("ask", "well?")
    reaches(first, RunStatus.SUSPENDED)

    second = client.enqueue("ask", "and?", thread_id=first.run_id)  # closes the first

    reaches(second, RunStatus.SUSPENDED)
    assert first.status() is RunStatus.CANCELLED
    assert raw.ttl(f"penstock:thread:{thread_key(first.run_id)}") == -1
    checker.check()
    second.resume("yes")
    assert second.result(5) == [1, "yes", 2]


def test_runs_behind_one_on_its_own_thread_keep_the_thread(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    fleet.start()
    first = client.enqueue("slow_add", 1)
    second = client.enqueue("ask", "and?", thread_id=first.run_id)

    reaches(second, RunStatus.SUSPENDED, timeout=15)

    assert first.result(5) == 1
    checker.check()
