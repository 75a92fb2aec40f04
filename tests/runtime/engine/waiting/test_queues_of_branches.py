"""Consumers that share a queue: each gets the same items in every attempt."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from penstock.runtime import entrypoint, interrupt, task
from tests.runtime.engine.waiting.steps import counted, join, work
from tests.runtime.flows import Calls
from tests.support.ways import Way, answer


@pytest.mark.parametrize("consumers", [1, 2, 3, 5])
def test_consumers_of_a_queue_get_the_same_again(way: Way, calls: Calls, consumers: int) -> None:
    @task
    async def charge(number: int) -> int:
        calls(number)
        await asyncio.sleep(0.1 if number == 0 else 0.01)
        return number

    @entrypoint()
    async def flow(size: int) -> list[Any]:
        queue: asyncio.Queue[int] = asyncio.Queue()
        for number in range(size):
            queue.put_nowait(number)
        done: list[int] = []

        async def consume() -> None:
            while not queue.empty():
                done.append(await charge(queue.get_nowait()))

        await asyncio.gather(*(consume() for _ in range(consumers)))
        return [done, interrupt("?")]

    way.begin(flow, 6)
    answer(way, "?")

    done, answered = way.result
    assert sorted(done) == sorted(calls.made) == [0, 1, 2, 3, 4, 5]
    assert answered == "<?>"


def test_consumers_that_wait_for_a_producer_get_the_same_again(way: Way, calls: Calls) -> None:
    pay = counted(calls, 0.02)

    @entrypoint()
    async def flow(size: int) -> list[Any]:
        queue: asyncio.Queue[str] = asyncio.Queue(2)
        done: list[str] = []

        async def consume(name: str) -> None:
            while (item := await queue.get()) != "end":
                done.append(await pay(f"{item} by {name}"))

        consumers = [asyncio.create_task(consume(name)) for name in "abc"]
        for number in range(size):
            await queue.put(await work(f"item{number}", 0.005))
        asked = interrupt("close?")
        for _ in consumers:
            await queue.put("end")
        await asyncio.gather(*consumers)
        return [await join(done), asked]

    way.begin(flow, 6)
    assert len(calls.made) == 6
    answer(way, "close?")

    found, asked = way.result
    assert asked == "<close?>"
    assert sorted(each.split(" by ")[0] for each in calls.made) == [f"item{n}" for n in range(6)]
    assert sorted(found.split()) == sorted(" ".join(calls.made).split())


def test_a_queue_is_worked_on_while_one_consumer_asks(way: Way, calls: Calls) -> None:
    pay = counted(calls, 0.02)

    @entrypoint()
    async def flow(_: str) -> list[str]:
        items = [f"item{number}" for number in range(7)]
        done: list[str] = []

        async def consume() -> None:
            while items:
                item = items.pop(0)
                if item == "item2":
                    item += str(interrupt("may I?"))
                done.append(await pay(item))

        await asyncio.gather(consume(), consume(), consume())
        return done

    way.begin(flow)
    assert len(calls.made) == 6
    answer(way, "may I?")

    assert sorted(way.result) == sorted(calls.made)
    assert sorted(calls.made)[2] == "item2<may I?>"
