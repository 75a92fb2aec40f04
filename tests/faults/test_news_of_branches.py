"""Branches get answers and outcomes while others of their run are at work, on real workers."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import redis

import tests.faults.support.news_flows as flows
from penstock.runtime import Client
from penstock.runtime.client.run import RunHandle
from penstock.runtime.diagnostics.waiting import read_waiting
from penstock.runtime.types.run import RunStatus
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import QUICK, Fleet, WorkerProcess
from tests.support.until import reaches, until

pytestmark = [
    pytest.mark.filterwarnings("ignore:no live worker has announced"),
]

APP = str(Path(flows.__file__))
HASTY = {**QUICK, "PENSTOCK_PATIENCE": "0.3"}
LONG = 5.0


def start(fleet: Fleet, *queues: str) -> WorkerProcess:
    return fleet.start(app=APP, queues=queues or ("default",), environ=HASTY)


def listed(client: Client, run: RunHandle) -> dict[str, str]:
    """The ids of the questions that can be answered, by question."""
    return {str(each.value): each.id for each in client.do(client.plans.interrupts(run.run_id))}


def asked(client: Client, run: RunHandle, *of: str) -> dict[str, str]:
    """The same, once these are asked."""
    until(lambda: listed(client, run).keys() == set(of))
    return listed(client, run)


def done(fleet: Fleet, run: RunHandle) -> Counter[str]:
    """How often each step came to its end, by its name."""
    names = [line["name"] for line in fleet.journal(run.run_id) if "name" in line]
    return Counter(name for name in names if not name.endswith("begins"))


def claims(raw: redis.Redis, run: RunHandle) -> int:
    """How often workers have taken the run."""
    found: Any = raw.hget(f"penstock:run:{run.run_id}", "epoch")
    return int(found)


def test_a_branch_goes_on_with_its_answer_while_another_is_at_work(
    fleet: Fleet, client: Client, checker: Checker, raw: redis.Redis
) -> None:
    start(fleet)
    run = client.enqueue("questions", LONG)
    ids = asked(client, run, "A", "B")
    assert run.status() is RunStatus.RUNNING
    shown = client.do(read_waiting(client.plans, run.info()))
    assert (shown.label, [each.value for each in shown.questions]) == ("at work", ["A", "B"])

    run.resume({ids["A"]: "<A>"})

    until(lambda: done(fleet, run)["A got <A>"], 2.0)
    assert listed(client, run).keys() == {"B"}
    assert done(fleet, run)["long"] == 0
    reaches(run, RunStatus.SUSPENDED)
    run.resume("<B>")
    assert run.result(10) == ["A got <A>", "B got <B>", "long"]
    assert done(fleet, run) == {"A got <A>": 1, "B got <B>": 1, "long": 1}
    assert claims(raw, run) == 2
    checker.check(over=True)


def test_a_run_whose_answers_all_come_while_it_is_at_work_is_taken_once(
    fleet: Fleet, client: Client, checker: Checker, raw: redis.Redis
) -> None:
    start(fleet)
    run = client.enqueue("questions", LONG)
    ids = asked(client, run, "A", "B")

    run.resume({name: f"<{question}>" for question, name in ids.items()})

    until(lambda: done(fleet, run)["A got <A>"] and done(fleet, run)["B got <B>"], 2.0)
    assert done(fleet, run)["long"] == 0
    assert run.result(10) == ["A got <A>", "B got <B>", "long"]
    assert claims(raw, run) == 1
    assert listed(client, run) == {}
    checker.check(over=True)


def test_an_answer_that_no_message_tells_of_is_found(
    fleet: Fleet, client: Client, checker: Checker, raw: redis.Redis
) -> None:
    start(fleet)
    run = client.enqueue("question", LONG)
    name = asked(client, run, "A")["A"]

    with raw.pipeline() as pipeline:  # what the script stores, without a word to anybody
        pipeline.hset(f"penstock:checkpoints:{run.run_id}", f"!{name}", '"<A>"')
        pipeline.hdel(f"penstock:questions:{run.run_id}", name)
        pipeline.execute()

    until(lambda: done(fleet, run)["A got <A>"], 3.5)
    assert done(fleet, run)["long"] == 0
    assert run.result(10) == ["A got <A>", "long"]
    assert claims(raw, run) == 1
    checker.check(over=True)


def test_a_question_of_a_thread_is_answered_while_another_branch_is_at_work(
    fleet: Fleet, client: Client, checker: Checker, raw: redis.Redis
) -> None:
    start(fleet)
    run = client.enqueue("in_thread", 3.0)
    asked(client, run, "A")

    run.resume("<A>")

    assert run.status() is RunStatus.RUNNING
    assert run.result(10) == ["<A>", "long"]
    assert done(fleet, run) == {"long": 1}
    assert claims(raw, run) == 2
    checker.check(over=True)


@pytest.mark.parametrize("entrypoint", ["race", "limited"])
def test_a_question_that_is_open_no_more_is_not_listed(
    fleet: Fleet, client: Client, checker: Checker, entrypoint: str
) -> None:
    start(fleet)
    run = client.enqueue(entrypoint, LONG)
    asked(client, run, "A")

    asked(client, run)

    assert run.status() is RunStatus.RUNNING
    assert done(fleet, run)["long"] == 0
    assert run.result(10) == ("long" if entrypoint == "race" else ["A got nothing", "long"])
    checker.check(over=True)


def test_what_was_answered_is_not_asked_again_when_the_worker_dies(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    first = start(fleet)
    run = client.enqueue("questions", LONG)
    ids = asked(client, run, "A", "B")
    run.resume({ids["A"]: "<A>"})
    until(lambda: done(fleet, run)["A got <A>"], 2.0)

    first.kill()
    start(fleet)

    reaches(run, RunStatus.SUSPENDED, timeout=20)
    assert listed(client, run).keys() == {"B"}
    run.resume("<B>")
    assert run.result(10) == ["A got <A>", "B got <B>", "long"]
    checker.check(over=True)


def test_answers_that_come_as_runs_leave_are_heard_once(
    fleet: Fleet, client: Client, checker: Checker, raw: redis.Redis
) -> None:
    start(fleet)
    runs = [client.enqueue("question", 1.2) for _ in range(12)]
    for run in runs:
        asked(client, run, "A")
    until(lambda: any(done(fleet, run)["long"] for run in runs))

    for run in runs:
        run.resume("<A>")
        time.sleep(0.01)

    for run in runs:
        assert run.result(10) == ["A got <A>", "long"]
        assert done(fleet, run) == {"A got <A>": 1, "long": 1}
        assert claims(raw, run) <= 2
    checker.check(over=True)


def test_a_branch_goes_on_with_a_step_elsewhere_while_another_is_at_work(
    fleet: Fleet, client: Client, checker: Checker, raw: redis.Redis
) -> None:
    start(fleet)
    start(fleet, "far")
    run = client.enqueue("away", LONG)

    until(lambda: done(fleet, run)["far is back"] and done(fleet, run)["failed: far away"], 4.0)

    assert done(fleet, run)["long"] == 0
    assert run.result(10) == ["far is back", "failed: far away", "long"]
    assert claims(raw, run) == 1
    checker.check(over=True)


def test_a_step_elsewhere_that_comes_to_nothing_fails_while_another_is_at_work(
    fleet: Fleet, client: Client, checker: Checker, raw: redis.Redis
) -> None:
    start(fleet)
    start(fleet, "far")
    run = client.enqueue("called_off", LONG)
    until(lambda: done(fleet, run)["far"])
    performed_by: Any = raw.hvals(f"penstock:remote:{run.run_id}")

    client.get(performed_by[0].decode()).cancel()

    until(lambda: done(fleet, run)["lost"], 3.0)
    assert done(fleet, run)["long"] == 0
    assert run.result(10) == ["lost", "long"]
    assert claims(raw, run) == 1
    checker.check(over=True)


def test_a_replay_keeps_the_order_in_which_news_came(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    start(fleet)
    start(fleet, "far")
    run = client.enqueue("ordered", 4.0)
    ids = asked(client, run, "A", "B")
    run.resume({ids["B"]: "<B>"})
    until(lambda: done(fleet, run)["B"] + done(fleet, run)["far B"], 3.0)
    run.resume({ids["A"]: "<A>"})
    asked(client, run, "end")
    before = done(fleet, run)

    run.resume("<end>")

    came, end = run.result(10)
    assert (sorted(came), end) == (["A", "B", "far", "long"], "<end>")
    assert came.index("B") < came.index("A") < came.index("long")
    assert done(fleet, run) == before
    assert set(before.values()) == {1}
    checker.check(over=True)
