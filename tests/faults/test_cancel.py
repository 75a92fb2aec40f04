"""Cancelling: from whatever state, against whatever races, with one outcome for every observer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import redis

from penstock.publisher import subscribe
from penstock.runtime import Client
from penstock.runtime.errors import ResumeError, RunCancelledError
from penstock.runtime.types.run import RunStatus
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import Fleet
from tests.support.until import reaches, until

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")

OVER = (RunStatus.COMPLETED, RunStatus.CANCELLED, RunStatus.FAILED)


def test_a_queued_run_is_cancelled_at_once(fleet: Fleet, client: Client, checker: Checker) -> None:
    run = client.enqueue("main", {"x": 1})

    assert run.cancel() is RunStatus.CANCELLED
    assert run.cancel() is RunStatus.CANCELLED
    checker.check(over=True)
    fleet.start()

    assert client.enqueue("main", {"x": 2}).result(5) == 4
    assert fleet.journal(run.run_id) == []
    with pytest.raises(RunCancelledError):
        run.result(1)
    checker.check(over=True)


@pytest.mark.parametrize(
    ("entrypoint", "argument", "begun"),
    [
        ("steps", {"steps": 100, "seconds": 0.1}, 3),
        ("asteps", {"steps": 100, "seconds": 0.1}, 3),
        ("afan", {"steps": 20, "seconds": 30.0}, 21),
        ("asteps", {"steps": 1, "seconds": 30.0}, 2),
        ("nap", 30.0, 1),
        ("steps", {"steps": 2, "seconds": 1.5}, 2),
        ("stubborn", 30.0, 3),
    ],
)
def test_f42_a_running_run_is_cancelled(
    fleet: Fleet, client: Client, checker: Checker, entrypoint: str, argument: Any, begun: int
) -> None:
    worker = fleet.start()
    run = client.enqueue(entrypoint, argument)
    fleet.executing(run.run_id, begun)

    assert run.cancel() in (RunStatus.RUNNING, RunStatus.CANCELLED)

    with pytest.raises(RunCancelledError):
        run.result(4)
    with subscribe(run.run_id, connection=fleet.url) as events:
        assert list(events)[-1].data["status"] == "cancelled"
    assert worker.running
    assert client.enqueue("main", {"x": 1}).result(5) == 2
    checker.check(over=True)


def test_f71_a_run_that_swallows_its_cancellation_is_cancelled_all_the_same(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    fleet.start()
    run = client.enqueue("unstoppable", 3.0)
    fleet.executing(run.run_id)

    run.cancel()

    until(lambda: run.status() in OVER, 10)
    assert run.status() is RunStatus.CANCELLED
    checker.check(over=True)


def test_a_suspended_run_is_cancelled_and_takes_no_answer(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    fleet.start()
    run = client.enqueue("ask", "well?")
    run.result(5)

    assert run.cancel() is RunStatus.CANCELLED

    with pytest.raises(ResumeError):
        run.resume("late")
    assert run.cancel() is RunStatus.CANCELLED
    checker.check(over=True)


def test_f42_a_cancel_reaches_the_run_of_a_dead_worker(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    worker = fleet.start()
    run = client.enqueue("asteps", {"steps": 100, "seconds": 0.1})
    fleet.executing(run.run_id, 3)
    worker.kill()

    run.cancel()
    checker.check()
    fleet.start()

    with pytest.raises(RunCancelledError):
        run.result(5)
    assert len({line["attempt"] for line in fleet.journal(run.run_id)}) == 1
    checker.check(over=True)


def test_f43_a_cancel_reaches_a_worker_that_does_not_hear_the_channel(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    fleet.start()
    run = client.enqueue("asteps", {"steps": 100, "seconds": 0.1})
    fleet.executing(run.run_id, 3)
    raw.execute_command("CLIENT", "KILL", "TYPE", "pubsub")

    run.cancel()

    with pytest.raises(RunCancelledError):
        run.result(3)
    checker.check(over=True)


def test_closing_a_stream_cancels_nothing(fleet: Fleet, client: Client, checker: Checker) -> None:
    fleet.start()
    run = client.enqueue("talk", {"steps": 10, "seconds": 0.05})

    for _ in run.stream("custom"):
        break
    with subscribe(run.run_id, connection=fleet.url) as events:
        next(events)

    assert run.result(10) == 10
    assert list(map(tuple, run.stream("custom"))) == [("custom", n) for n in range(10)]
    checker.check(over=True)


def test_a_cancel_that_races_with_the_end_has_one_outcome(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    fleet.start()
    outcomes: dict[str, int] = {}
    for number in range(60):
        run = client.enqueue("asteps", {"steps": 3, "seconds": 0.01})
        time.sleep(number / 60 * 0.06)  # anywhere between queued and over
        run.cancel()
        reaches(run, *OVER)
        status = run.status()
        outcomes[status] = outcomes.get(status, 0) + 1
        with subscribe(run.run_id, connection=fleet.url) as events:
            assert list(events)[-1].data["status"] == status
        try:
            assert run.result(1) == [0, 1, 2]
            assert status is RunStatus.COMPLETED
        except RunCancelledError:
            assert status is RunStatus.CANCELLED

    assert outcomes.get("cancelled", 0) > 0
    checker.check(over=True)


# -- answers, which race too --------------------------------------------------------------------


def together(*calls: Callable[[], Any]) -> list[Any]:
    """Make calls at the same moment; an exception stands for its result."""
    barrier = threading.Barrier(len(calls))
    results: list[Any] = [None] * len(calls)

    def make(index: int, call: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            results[index] = call()
        except Exception as error:
            results[index] = error

    threads = [threading.Thread(target=make, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_f39_of_two_answers_the_first_wins_and_the_second_is_told(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    fleet.start()
    for _ in range(10):
        run = client.enqueue("ask", "well?")
        run.result(5)
        with Client(fleet.url) as one, Client(fleet.url) as two:
            first, second = one.get(run.run_id), two.get(run.run_id)
            results = together(partial(first.resume, "a"), partial(second.resume, "b"))

        refused = [result for result in results if isinstance(result, Exception)]
        assert [type(error) for error in refused] == [ResumeError]
        assert run.result(5) == [1, "b" if refused[0] is results[0] else "a", 2]
    checker.check(over=True)


def test_f39_the_same_answer_twice_is_one(fleet: Fleet, client: Client, checker: Checker) -> None:
    fleet.start()
    run = client.enqueue("ask", "well?")
    run.result(5)

    with Client(fleet.url) as one, Client(fleet.url) as two:
        first, second = one.get(run.run_id), two.get(run.run_id)
        together(lambda: first.resume("a"), lambda: second.resume("a"))

    assert run.result(5) == [1, "a", 2]
    assert fleet.executions(run.run_id) == {"": 2, "step:0": 1, "step:1": 1}
    assert [entry.mode for entry in checker.check(over=True).events(run.run_id)].count(
        "run.resumed"
    ) == 1


def test_f41_an_answer_and_a_cancel_at_once_have_one_outcome(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    fleet.start()
    for _ in range(20):
        run = client.enqueue("ask", "well?")
        run.result(5)
        with Client(fleet.url) as one, Client(fleet.url) as two:
            first, second = one.get(run.run_id), two.get(run.run_id)
            together(partial(first.resume, "a"), second.cancel)
        reaches(run, *OVER)
        with subscribe(run.run_id, connection=fleet.url) as events:
            assert list(events)[-1].data["status"] == run.status()
    checker.check(over=True)


def test_f38_an_answer_right_after_the_question_is_never_lost(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    """Answers as soon as the question can be read, which is while the worker still leaves."""
    fleet.start()
    runs = [client.enqueue("ask", "well?") for _ in range(40)]

    def answer(run: Any) -> None:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                run.resume("yes")
                return
            except ResumeError:
                continue

    together(*[partial(answer, run) for run in runs])

    assert [run.result(10) for run in runs] == [[1, "yes", 2]] * 40
    checker.check(over=True)


def test_an_answer_survives_a_worker_that_dies_with_it(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    worker = fleet.start()
    run = client.enqueue("ask", "well?")
    run.result(5)
    worker.stop()

    run.resume("yes")
    worker.kill()
    fleet.start()

    assert run.result(10) == [1, "yes", 2]
    checker.check(over=True)


def test_a_failed_run_can_go_on(fleet: Fleet, client: Client, checker: Checker) -> None:
    fleet.start()
    run = client.enqueue("broken", "no")
    until(lambda: run.status() is RunStatus.FAILED)

    run.resume()

    until(
        lambda: (
            len([e for e in checker.check().events(run.run_id) if e.mode == "run.finished"]) == 2
        )
    )
    assert run.status() is RunStatus.FAILED
    checker.check(over=True)
