"""A replay lets things become known in the order in which they did: code takes the same way."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from penstock.runtime import asleep, entrypoint, interrupt, task
from tests.runtime.engine.waiting.steps import ask, block, counted, fail, join, work
from tests.runtime.flows import Calls
from tests.support.ways import OnMemoryWorker, Way, answer, finish, questions

TIMES = (("slow", 0.15), ("middle", 0.08), ("quick", 0.01))
BY_TIME = ["quick", "middle", "slow"]


def test_a_dict_that_is_filled_as_branches_finish_may_be_an_argument(any_way: Way) -> None:
    @entrypoint()
    async def flow(_: str) -> list[Any]:
        found: dict[str, str] = {}

        async def one(name: str, seconds: float) -> None:
            found[name] = await work(name, seconds)

        await asyncio.gather(*(one(*each) for each in TIMES))
        return [await join(found), list(found), interrupt("?")]

    any_way.begin(flow)
    answer(any_way, "?")

    assert any_way.result == [" ".join(BY_TIME), BY_TIME, "<?>"]


def test_a_list_that_is_filled_as_branches_finish_may_be_an_argument(any_way: Way) -> None:
    @entrypoint()
    async def flow(_: str) -> list[Any]:
        found: list[str] = []

        async def one(name: str, seconds: float) -> None:
            found.append(await work(name, seconds))

        await asyncio.gather(*(one(*each) for each in TIMES))
        return [await join(found), interrupt("?")]

    any_way.begin(flow)
    answer(any_way, "?")

    assert any_way.result == [" ".join(BY_TIME), "<?>"]


@pytest.mark.parametrize("which", [work, block], ids=["async", "thread"])
def test_as_completed_gives_the_same_order_in_every_attempt(any_way: Way, which: Any) -> None:
    seen: list[list[str]] = []

    @entrypoint()
    async def flow(_: str) -> list[Any]:
        found = [await each for each in asyncio.as_completed([which(*each) for each in TIMES])]
        seen.append(found)
        return [await join(found), interrupt("?"), interrupt("??")]

    any_way.begin(flow)
    answer(any_way, "?")
    answer(any_way, "??")

    first = seen[0]  # a busy machine may wake sleepers in another order than that of their times
    assert sorted(first) == sorted(BY_TIME)
    assert seen == [first] * len(seen)
    assert any_way.result == [" ".join(first), "<?>", "<??>"]


def test_steps_that_are_called_as_others_complete_are_found_again(
    any_way: Way, calls: Calls
) -> None:
    pay = counted(calls, 0.01)

    @entrypoint()
    async def flow(_: str) -> list[Any]:
        found: list[str] = []
        for each in asyncio.as_completed([work(*each) for each in TIMES]):
            found.append(await pay(await each))
        return [*found, interrupt("?")]

    any_way.begin(flow)
    answer(any_way, "?")

    assert any_way.result == [*BY_TIME, "<?>"]
    assert calls.made == BY_TIME


def test_the_winner_of_a_race_wins_again_though_the_others_are_recorded_by_then(
    any_way: Way, calls: Calls
) -> None:
    pay = counted(calls)

    @entrypoint()
    async def flow(_: str) -> list[Any]:
        tasks = [asyncio.ensure_future(work(*each)) for each in TIMES]
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        first = next(each.result() for each in tasks if each in done)
        paid = await pay(f"{first} of {len(done)} and {len(pending)}")
        everything = await asyncio.gather(*tasks)
        return [first, paid, sorted(everything), interrupt("?")]

    any_way.begin(flow)
    answer(any_way, "?")

    assert any_way.result == ["quick", "quick of 1 and 2", ["middle", "quick", "slow"], "<?>"]
    assert calls.made == ["quick of 1 and 2"]


@pytest.mark.parametrize("order", ["abc", "bca", "cab"])
def test_answers_become_known_in_the_order_in_which_they_were_given(
    any_way: Way, order: str
) -> None:
    @entrypoint()
    async def flow(_: str) -> list[Any]:
        heard: list[str] = []

        async def one(name: str) -> None:
            heard.append(interrupt(name))

        await asyncio.gather(one("a"), one("b"), one("c"))
        return [await join(heard), interrupt("?")]

    any_way.begin(flow)
    for name in order:
        answer(any_way, name)
    answer(any_way, "?")

    assert any_way.result == [" ".join(f"<{name}>" for name in order), "<?>"]


def test_sleeps_become_known_in_the_order_in_which_they_were_over(way: Way) -> None:
    unit = 10.0 if isinstance(way, OnMemoryWorker) else 0.1  # where time passes at once, or not

    @entrypoint()
    async def flow(_: str) -> list[Any]:
        over: list[str] = []

        async def one(name: str, seconds: float) -> None:
            await asleep(seconds)
            over.append(name)

        await asyncio.gather(one("long", 3 * unit), one("short", unit), one("middle", 2 * unit))
        return [await join(over), interrupt("?")]

    way.begin(flow)
    while not way.asked:
        way.wait(unit)
    answer(way, "?")

    assert way.result == ["short middle long", "<?>"]


def test_what_came_first_of_step_sleep_and_question_stays_first(
    on_worker: OnMemoryWorker,
) -> None:
    @entrypoint()
    async def flow(_: str) -> list[Any]:
        came: list[str] = []

        async def stepping() -> None:
            came.append(await work("step", 0.1))

        async def sleeping() -> None:
            await asleep(10)
            came.append("sleep")

        async def asking() -> None:
            came.append(interrupt("question"))

        await asyncio.gather(asking(), sleeping(), stepping())
        return [await join(came), interrupt("?")]

    on_worker.begin(flow)
    answer(on_worker, "question")
    on_worker.wait(11)
    answer(on_worker, "?")

    assert on_worker.result == ["step <question> sleep", "<?>"]


def test_an_error_comes_again_where_it_came(any_way: Way) -> None:
    @entrypoint()
    async def flow(_: str) -> list[Any]:
        came: list[str] = []

        async def good(name: str, seconds: float) -> None:
            came.append(await work(name, seconds))

        async def bad() -> None:
            try:
                await fail("error", 0.08)
            except ValueError as error:
                came.append(str(error))

        await asyncio.gather(good("late", 0.15), bad(), good("early", 0.01))
        return [await join(came), interrupt("?")]

    any_way.begin(flow)
    answer(any_way, "?")

    assert any_way.result == ["early error late", "<?>"]


def test_branches_get_a_lock_in_the_same_order_again(any_way: Way, calls: Calls) -> None:
    pay = counted(calls, 0.01)

    @entrypoint()
    async def flow(_: str) -> list[Any]:
        lock, held = asyncio.Lock(), list[str]()

        async def one(name: str, seconds: float) -> None:
            await work(name, seconds)
            async with lock:
                held.append(await pay(f"{len(held)}. {name}"))

        await asyncio.gather(*(one(*each) for each in TIMES))
        return [held, interrupt("?")]

    any_way.begin(flow)
    answer(any_way, "?")

    assert any_way.result == [["0. quick", "1. middle", "2. slow"], "<?>"]
    assert calls.made == ["0. quick", "1. middle", "2. slow"]


def test_steps_of_nested_steps_become_known_in_the_same_order_again(any_way: Way) -> None:
    @task
    async def outer(name: str, seconds: float) -> str:
        return await work(f"{name}!", seconds)

    @entrypoint()
    async def flow(_: str) -> list[Any]:
        found: list[str] = []

        async def one(name: str, seconds: float) -> None:
            found.append(await outer(name, seconds))

        await asyncio.gather(*(one(*each) for each in TIMES))
        return [await join(found), interrupt("?")]

    any_way.begin(flow)
    answer(any_way, "?")

    assert any_way.result == ["quick! middle! slow!", "<?>"]


def test_a_hundred_branches_replay_in_their_order(any_way: Way) -> None:
    @entrypoint()
    async def flow(size: int) -> list[Any]:
        found: list[str] = []

        async def one(number: int) -> None:
            found.append(await work(str(number), (number * 37 % size) / 2000))
            found.append(await work(str(number + size), (number * 11 % size) / 2000))

        await asyncio.gather(*(one(number) for number in range(size)))
        return [await join(found), found, await ask("?")]

    any_way.begin(flow, 100)
    assert questions(any_way) == ["?"]
    answer(any_way, "?")

    joined, found, _ = any_way.result
    assert joined == " ".join(found)
    assert sorted(found, key=int) == [str(number) for number in range(200)]


def test_what_a_body_does_beside_its_steps_may_take_another_time(
    any_way: Way, calls: Calls
) -> None:
    """The body's own code is slow in one attempt and quick in the next."""

    @entrypoint()
    async def flow(_: str) -> list[Any]:
        calls("body")
        found: list[str] = []

        async def one(name: str, seconds: float) -> None:
            value = await work(name, seconds)
            time.sleep(0.02 * (calls.count("body") % 3))
            found.append(value)

        await asyncio.gather(*(one(*each) for each in TIMES))
        return [await join(found), interrupt("?"), await join(reversed(found)), interrupt("??")]

    any_way.begin(flow)

    assert finish(any_way) == ["quick middle slow", "<?>", "slow middle quick", "<??>"]
