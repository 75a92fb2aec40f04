"""Sets of futures are in the same order in every attempt, wherever memory has put them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest

from penstock.runtime import entrypoint, interrupt
from tests.runtime.engine.waiting.steps import counted, work, working
from tests.runtime.flows import Calls
from tests.support.ways import Way, finish, questions

BRANCHES = 8


@pytest.fixture
def scatter() -> Callable[[], None]:
    """Lets the next objects come to other places in memory than in the attempt before."""
    kept: list[bytearray] = []

    def scatter() -> None:
        kept.extend(bytearray(random.randrange(100, 900)) for _ in range(random.randrange(300)))

    return scatter


@pytest.mark.parametrize("kind", ["steps", "tasks"])
def test_what_a_wait_returns_is_gone_through_in_the_same_order(
    way: Way, calls: Calls, scatter: Callable[[], None], kind: str
) -> None:
    pay = counted(calls)
    orders: list[list[str]] = []

    def begin(name: str) -> Any:
        scatter()
        return work(name) if kind == "steps" else asyncio.create_task(working(name, 0.01))

    @entrypoint()
    async def flow(_: str) -> str:
        done, _pending = await asyncio.wait([begin(str(n)) for n in range(BRANCHES)])
        orders.append([each.result() for each in done])
        await pay(orders[-1][0])
        return str(interrupt("?"))

    way.begin(flow)
    assert questions(way) == ["?"]

    assert finish(way) == "<?>"
    assert orders[0] == orders[1]
    assert len(calls.made) == 1


@pytest.mark.parametrize("collect", [list, tuple, set])
def test_coroutines_given_to_as_completed_keep_their_branches(
    way: Way, calls: Calls, scatter: Callable[[], None], collect: Callable[[Any], Any]
) -> None:
    pay = counted(calls)

    async def paying(name: str) -> str:
        return await pay(name)

    def begin(name: str) -> Any:
        scatter()
        return paying(name)

    @entrypoint()
    async def flow(_: str) -> list[str]:
        names = [str(n) for n in range(BRANCHES)]
        came = [await each for each in asyncio.as_completed(collect(map(begin, names)))]
        return [*came, str(interrupt("?"))]

    way.begin(flow)
    assert questions(way) == ["?"]

    result = finish(way)
    assert sorted(result[:-1]) == sorted(calls.made) == [str(n) for n in range(BRANCHES)]
