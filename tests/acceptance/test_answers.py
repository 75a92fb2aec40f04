"""Answers that race with each other, and with the run that asks: each race has one outcome."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from penstock.runtime import AsyncClient, Client, Command, RedisSaver, entrypoint, interrupt
from penstock.runtime.errors import AnswerError, ResumeError, RunCancelledError, ThreadBusyError
from penstock.runtime.types.run import RunStatus
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import Fleet
from tests.support.until import until

MANY = 8


def race(work: Callable[[int], Any], count: int = MANY) -> list[Any]:
    """What came of doing something in several threads at the same moment: values or errors."""
    start = threading.Barrier(count)

    def each(number: int) -> Any:
        start.wait(10)
        try:
            return work(number)
        except Exception as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(each, range(count)))


def test_of_many_answers_at_once_one_counts(fleet: Fleet, client: Client, checker: Checker) -> None:
    fleet.start()

    def once() -> None:
        run = client.enqueue("ask", "which?")
        until(lambda: run.status() is RunStatus.SUSPENDED)

        came = race(lambda number: _resume(fleet.url, run.run_id, number))

        won = [each for each in came if isinstance(each, int)]
        assert len(won) == 1, came
        assert {type(each) for each in came if each not in won} == {ResumeError}
        assert won[0] == _answer(run.result(10))

    for _ in range(10):
        once()
    checker.check(over=True)


def test_of_many_answers_at_once_from_asyncio_one_counts(fleet: Fleet, client: Client) -> None:
    fleet.start()
    run = client.enqueue("ask", "which?")
    until(lambda: run.status() is RunStatus.SUSPENDED)

    async def answer() -> list[Any]:
        async with AsyncClient(fleet.url) as aclient:
            handle = await aclient.get(run.run_id)
            answers = [handle.resume(number) for number in range(MANY)]
            return list(await asyncio.gather(*answers, return_exceptions=True))

    came = asyncio.run(answer())

    (won,) = [number for number, each in enumerate(came) if not isinstance(each, Exception)]
    assert {type(each) for each in came if isinstance(each, Exception)} == {ResumeError}
    assert _answer(run.result(10)) == won


def test_an_answer_that_races_with_the_question_comes_too_early_or_counts(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    fleet.start()
    for number in range(20):
        run = client.enqueue("ask", "which?")

        refused: list[str] = []
        while True:
            try:
                run.resume(number)
                break
            except ResumeError as error:
                refused.append(str(error))

        assert _answer(run.result(10)) == number
        assert all("waits for no answer" in each or "cannot be" in each for each in refused)
    checker.check(over=True)


def test_an_answer_to_a_run_that_is_over_is_refused_whoever_gives_it(
    fleet: Fleet, client: Client
) -> None:
    fleet.start()
    run = client.enqueue("main", {"x": 1})
    assert run.result(10) == 2

    came = race(run.resume)

    assert {type(each) for each in came} == {ResumeError}
    assert all("completed" in str(each) for each in came)
    assert run.result(10) == 2


def test_an_answer_that_races_with_a_cancel_leaves_the_run_answered_or_cancelled(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    fleet.start()

    def once() -> None:
        run = client.enqueue("ask", "which?")
        until(lambda: run.status() is RunStatus.SUSPENDED)

        came = race(lambda number: run.resume("answer") if number else run.cancel(), count=2)

        until(lambda: run.status() in (RunStatus.COMPLETED, RunStatus.CANCELLED))
        if run.status() is RunStatus.COMPLETED:
            assert _answer(run.result(10)) == "answer"
            assert came[0] is not RunStatus.CANCELLED
        else:
            with pytest.raises(RunCancelledError):
                run.result(10)

    for _ in range(10):
        once()
    checker.check(over=True)


def test_answers_of_a_wrong_type_never_wake_the_run(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    fleet.start()
    run = client.enqueue("approve", "really?")
    until(lambda: run.status() is RunStatus.SUSPENDED)

    came = race(lambda number: run.resume({"ok": number > 0 and "perhaps"} if number else "yes"))

    assert {type(each) for each in came} == {AnswerError}
    assert run.status() is RunStatus.SUSPENDED
    assert run.info().attempt == 1
    run.resume({"ok": True})
    assert run.result(10) == {"ok": True, "note": ""}
    checker.check(over=True)


def test_in_process_one_of_many_answers_goes_on_with_the_run(redis_url: str) -> None:
    @entrypoint(checkpointer=RedisSaver(redis_url))
    def main(_: str) -> Any:
        return ["answered", interrupt("?")]

    def once(turn: int) -> None:
        config = {"configurable": {"thread_id": f"{turn}"}}
        main.invoke("x", config)

        came = race(lambda number: main.invoke(Command(resume=number), config))

        results = {tuple(each) for each in came if not isinstance(each, Exception)}
        assert len(results) == 1, came
        refused = {type(each) for each in came if isinstance(each, Exception)}
        assert refused <= {ResumeError, ThreadBusyError}
        assert tuple(main.invoke(None, config)) in results

    for turn in range(10):
        once(turn)


def _resume(url: str, run_id: str, answer: int) -> int:
    with Client(url) as client:
        client.get(run_id).resume(answer)
    return answer


def _answer(result: Any) -> Any:
    before, answer, after = result
    assert (before, after) == (1, 2)
    return answer
