"""Branches that wait beside others, on real workers: what is begun, and when a run leaves."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import tests.faults.support.waiting_flows as flows
from penstock.runtime import Client
from penstock.runtime.client.run import RunHandle
from penstock.runtime.types.run import RunStatus
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import QUICK, Fleet, WorkerProcess
from tests.support.until import reaches, until

pytestmark = [
    pytest.mark.filterwarnings("ignore:no live worker has announced"),
]

APP = str(Path(flows.__file__))
HASTY = {**QUICK, "PENSTOCK_PATIENCE": "0.3"}


def start(fleet: Fleet) -> WorkerProcess:
    return fleet.start(app=APP, environ=HASTY)


def asked(client: Client, run: RunHandle) -> dict[str, str]:
    """The ids of the run's questions, by question."""
    reaches(run, RunStatus.SUSPENDED)
    found = client.do(client.plans.interrupts(run.run_id))
    return {str(each.value): each.id for each in found}


def answer(client: Client, run: RunHandle, question: str, *, of: set[str]) -> None:
    """Answer one question, once these are asked."""
    until(lambda: asked(client, run).keys() == of)
    run.resume({asked(client, run)[question]: f"<{question}>"})


def begun(fleet: Fleet, run: RunHandle) -> Counter[Any]:
    """How often each step was begun, by its name."""
    return Counter(line["name"] for line in fleet.journal(run.run_id))


def test_an_answer_reaches_the_branch_that_asked(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    start(fleet)
    orders = [("A", "B"), ("B", "A")]
    runs = [client.enqueue("questions", "go") for _ in orders]

    for run, (first, last) in zip(runs, orders, strict=True):
        answer(client, run, first, of={"A", "B"})
        answer(client, run, last, of={last})

    for run in runs:
        assert run.result(10) == ["A got <A>", "B got <B>"]
        assert begun(fleet, run) == {"A": 1, "B": 1}
    checker.check(over=True)


def test_an_answer_that_comes_while_another_branch_is_at_work_is_heard(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    start(fleet)
    run = client.enqueue("questions", "go")
    until(lambda: len(asked(client, run)) == 2)
    ids = asked(client, run)

    run.resume({ids["A"]: "<A>"})
    run.resume({ids["B"]: "<B>"})

    assert run.result(10) == ["A got <A>", "B got <B>"]
    assert begun(fleet, run) == {"A": 1, "B": 1}
    checker.check(over=True)


def test_steps_beside_branches_that_wait_are_begun_once(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    start(fleet)
    run = client.enqueue("beside", "go")
    until(lambda: "?" in asked(client, run))
    assert begun(fleet, run) == {
        "?": 1,
        **{f"{name}{number}": 1 for name in "ab" for number in range(4)},
    }

    run.resume("yes")

    names = [[f"{name}{number}" for number in range(4)] for name in "ab"]
    assert run.result(10) == ["? got yes", "slept", *names]
    assert set(begun(fleet, run).values()) == {1}
    checker.check(over=True)


def test_parked_branches_outlive_the_death_of_their_worker(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    first = start(fleet)
    run = client.enqueue("beside", "go")
    until(lambda: len(fleet.journal(run.run_id)) >= 4)
    first.kill()
    start(fleet)
    until(lambda: "?" in asked(client, run))
    run.resume("yes")

    names = [[f"{name}{number}" for number in range(4)] for name in "ab"]
    assert run.result(15) == ["? got yes", "slept", *names]
    assert max(begun(fleet, run).values()) <= 2
    checker.check(over=True)


def test_a_run_ends_with_the_sleep_that_won(fleet: Fleet, client: Client, checker: Checker) -> None:
    start(fleet)
    begin = time.monotonic()

    assert client.enqueue("race", 1.0).result(20) == "slept"

    assert 1.0 <= time.monotonic() - begin < 10
    checker.check(over=True)


def test_a_timeout_of_asyncio_ends_a_sleep(fleet: Fleet, client: Client, checker: Checker) -> None:
    start(fleet)
    run = client.enqueue("limited", "go")

    assert run.result(10) == "timeout"

    assert begun(fleet, run) == {"timeout": 1}
    checker.check(over=True)


def test_a_retry_that_is_due_while_another_branch_works_is_tried_there(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    start(fleet)
    run = client.enqueue("here", "go")

    assert run.result(10) == ["flaky", "long"]

    assert begun(fleet, run) == {"flaky": 2, "long": 1}
    lines = {line["name"]: line["time"] for line in fleet.journal(run.run_id)}
    assert lines["flaky"] - lines["long"] < 1.9, "it was tried again only after the other branch"
    checker.check(over=True)


def test_consumers_of_a_queue_execute_nothing_twice(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    start(fleet)
    run = client.enqueue("pool", 6)
    until(lambda: "Close the books?" in asked(client, run))

    run.resume("yes")

    assert run.result(10) == [["0", "1", "2", "3", "4", "5"], "yes"]
    assert begun(fleet, run) == {str(number): 1 for number in range(6)}
    checker.check(over=True)
