"""The first one wins: who has lost waits for nothing any more, and holds nobody up."""

from __future__ import annotations

import asyncio
import time

import pytest

from penstock.runtime import entrypoint, interrupt, task
from tests.runtime.engine.waiting.steps import ask, asking, counted, fail, first_of, slept, working
from tests.runtime.flows import Calls
from tests.support.ways import OnMemoryWorker, Way, answer, questions

HOUR = 3600.0


def test_the_shorter_of_two_sleeps_wins_and_the_other_one_is_forgotten(
    on_worker: OnMemoryWorker,
) -> None:
    @entrypoint()
    async def flow(_: str) -> str:
        return str(await first_of(slept(10, "short"), slept(HOUR, "long")))

    on_worker.begin(flow)
    on_worker.wait(9)
    assert not on_worker.is_over
    on_worker.wait(2)

    assert on_worker.result == "short"
    assert on_worker.wakes_at() is None


def test_a_run_is_over_though_a_branch_would_sleep_on(way: Way) -> None:
    begin = time.monotonic()

    @entrypoint()
    async def flow(_: str) -> str:
        sleeping = asyncio.create_task(slept(HOUR))
        await working("work", 0.05)
        assert not sleeping.done()
        return "over"

    way.begin(flow)

    assert way.result == "over"
    assert time.monotonic() - begin < 10


def test_a_run_fails_at_once_though_a_branch_would_sleep_on(way: Way) -> None:
    @entrypoint()
    async def flow(_: str) -> str:
        sleeping = asyncio.create_task(slept(HOUR))
        await fail("too bad")
        return await sleeping

    way.begin(flow)

    with pytest.raises(ValueError, match="too bad"):
        _ = way.result


def test_a_run_is_over_though_a_branch_still_asks(any_way: Way) -> None:
    @entrypoint()
    async def flow(_: str) -> str:
        asked = asyncio.create_task(asking("anybody?"))
        await working("work", 0.05)
        assert not asked.done()
        return "over"

    any_way.begin(flow)

    assert any_way.result == "over"


def test_a_run_is_over_though_the_step_of_a_branch_still_asks(any_way: Way) -> None:
    @entrypoint()
    async def flow(_: str) -> str:
        asked = asyncio.ensure_future(ask("anybody?"))
        await working("work", 0.05)
        assert not asked.done()
        return "over"

    any_way.begin(flow)

    assert any_way.result == "over"


def test_a_step_wins_against_a_longer_sleep(way: Way) -> None:
    @entrypoint()
    async def flow(_: str) -> str:
        return str(await first_of(slept(1.0, "too late"), working("done", 0.1)))

    way.begin(flow)

    assert way.result == "done"


def test_a_step_that_lost_against_a_sleep_is_not_begun_again(
    on_worker: OnMemoryWorker, calls: Calls
) -> None:
    slow = counted(calls, 30)

    @entrypoint()
    async def flow(_: str) -> list[str]:
        async def doing() -> str:
            return await slow("slow")

        first = await first_of(doing(), slept(10))
        return [first, str(interrupt("then?"))]

    on_worker.begin(flow)
    for _ in range(3):
        if not on_worker.asked:
            on_worker.wait(11)
    answer(on_worker, "then?")

    assert on_worker.result in (["slept", "<then?>"], ["slow", "<then?>"])
    assert calls.made == ["slow"]


def test_a_step_wins_against_a_question_which_is_closed(any_way: Way) -> None:
    @entrypoint()
    async def flow(_: str) -> list[str]:
        first = await first_of(asking("lost"), working("done", 0.05))
        return [first, str(interrupt("next"))]

    any_way.begin(flow)
    assert questions(any_way) == ["next"]
    answer(any_way, "next")

    assert any_way.result == ["done", "<next>"]


def test_a_sleep_wins_against_a_question_which_is_closed(way: Way) -> None:
    @entrypoint()
    async def flow(_: str) -> list[str]:
        first = await first_of(asking("lost"), slept(0.2))
        return [first, str(interrupt("next"))]

    way.begin(flow)
    if "lost" in questions(way):
        way.wait(0.3)
    assert questions(way) == ["next"]
    answer(way, "next")

    assert way.result == ["slept", "<next>"]


def test_an_answer_wins_against_a_sleep_whose_timer_is_forgotten(
    on_worker: OnMemoryWorker,
) -> None:
    @entrypoint()
    async def flow(_: str) -> list[str]:
        first = await first_of(asking("quick?"), slept(HOUR))
        return [first, str(interrupt("next"))]

    on_worker.begin(flow)
    assert on_worker.wakes_at() is not None
    answer(on_worker, "quick?")
    assert questions(on_worker) == ["next"]
    assert on_worker.wakes_at() is None
    answer(on_worker, "next")

    assert on_worker.result == ["<quick?>", "<next>"]


def test_the_answer_that_came_first_wins_in_every_attempt(any_way: Way) -> None:
    @entrypoint()
    async def flow(_: str) -> list[str]:
        first = await first_of(asking("a"), asking("b"), asking("c"))
        return [first, str(interrupt("next")), str(interrupt("last"))]

    any_way.begin(flow)
    assert questions(any_way) == ["a", "b", "c"]
    answer(any_way, "b")
    assert questions(any_way) == ["next"]
    answer(any_way, "next")
    answer(any_way, "last")

    assert any_way.result == ["<b>", "<next>", "<last>"]


@pytest.mark.parametrize("cancels", [True, False])
@pytest.mark.parametrize("fails", [True, False])
def test_a_step_is_over_though_a_branch_of_its_own_still_asks(
    way: Way, cancels: bool, fails: bool
) -> None:
    @task
    async def race() -> str:
        asked = asyncio.create_task(asking("never?"))
        quick = asyncio.create_task(working("quick", 0.01))
        await asyncio.wait([asked, quick], return_when=asyncio.FIRST_COMPLETED)
        if cancels:
            asked.cancel()
        if fails:
            raise ValueError("too bad")
        return quick.result()

    @entrypoint()
    async def flow(_: str) -> list[str]:
        try:
            found = await race()
        except ValueError as error:
            found = str(error)
        return [found, interrupt("go on?")]

    way.begin(flow)
    assert questions(way) == ["go on?"]
    answer(way, "go on?")

    assert way.result == ["too bad" if fails else "quick", "<go on?>"]
