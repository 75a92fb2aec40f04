"""Answers to what is not asked, is asked no more, or is not asked yet."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.runtime import Client
from penstock.runtime.client.run import RunHandle
from penstock.runtime.errors import ResumeError, RunNotFoundError
from penstock.runtime.types.run import RunStatus
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import Fleet
from tests.support.until import reaches

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")


def asked_by(run: RunHandle) -> str:
    """Return the id of the one question a run waits on."""
    (question,) = run.result(10)["__interrupt__"]
    return str(question.id)


def test_f40_the_answer_to_another_runs_question_is_refused(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    fleet.start()
    one, other = client.enqueue("ask", "one?"), client.enqueue("ask", "other?")
    foreign = asked_by(other)
    asked_by(one)

    with pytest.raises(ResumeError, match=foreign):
        one.resume({foreign: "yes"})

    assert one.status() is RunStatus.SUSPENDED
    one.resume("mine")
    other.resume("yours")
    assert one.result(5) == [1, "mine", 2]
    assert other.result(5) == [1, "yours", 2]
    checker.check(over=True)


def test_f40_an_answer_to_the_first_question_never_answers_the_second(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    fleet.start()
    run = client.enqueue("twice", None)
    first = asked_by(run)
    run.resume({first: "a"})
    second = asked_by(run)

    with pytest.raises(ResumeError):
        run.resume({first: "b"})

    assert second != first
    assert run.status() is RunStatus.SUSPENDED
    run.resume({second: "b"})
    assert run.result(5) == ["a", "b"]
    checker.check(over=True)


@pytest.mark.parametrize("answer", ["yes", {"0" * 32: "yes"}])
def test_f40_an_answer_before_the_question_is_refused(
    fleet: Fleet, client: Client, checker: Checker, answer: Any
) -> None:
    run = client.enqueue("ask", "well?")

    with pytest.raises(ResumeError, match="queued"):
        run.resume(answer)

    fleet.start()
    reaches(run, RunStatus.SUSPENDED)
    run.resume("no")
    assert run.result(5) == [1, "no", 2]
    checker.check(over=True)


def test_f40_an_answer_after_the_end_is_refused(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    fleet.start()
    run = client.enqueue("ask", "well?")
    question = asked_by(run)
    run.resume("yes")
    assert run.result(5) == [1, "yes", 2]
    before = checker.check(over=True)

    for answer in ("no", {question: "no"}):
        with pytest.raises(ResumeError, match="completed"):
            run.resume(answer)

    assert checker.check(over=True).events(run.run_id) == before.events(run.run_id)


def test_f40_an_answer_to_no_run_creates_none(client: Client, checker: Checker) -> None:
    with pytest.raises(RunNotFoundError):
        client.get("nobody")

    assert checker.check().runs() == {}
