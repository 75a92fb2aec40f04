"""An order by itself: what waits for its turn gets it, whatever the turn before came by."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from penstock.runtime.engine.waiting.order import Order


class Around:
    """A run whose code never goes on by itself."""

    number = 1

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()

    def gathered(self) -> Around:
        return self

    def wakes_nobody(self, future: Any, /) -> bool:
        return False

    def is_ready(self, scope: Any) -> bool | None:
        return False

    def is_busy_outside(self, scope: Any) -> bool:
        return False

    def is_io_pending(self, scope: Any) -> bool:
        return False

    def past_timers(self, scope: Any) -> list[Any]:
        return []

    def is_at_work(self, step_id: str) -> bool:
        return False

    def is_at_work_below(self, scope: Any) -> bool:
        return False


class Refusing:
    """A journal whose run is another attempt's."""

    def keep(self, field: str, text: str) -> None:
        raise RuntimeError(field)

    def mark(self, field: str, text: str) -> None: ...


def order() -> Order:
    attempt = SimpleNamespace(lock=threading.Lock(), is_ending=False, journal=Refusing())
    scope = SimpleNamespace(
        attempt=attempt, step=SimpleNamespace(tries=1), is_forked=False, timers=None
    )
    return Order(scope, Around(), set(), set())


@pytest.mark.parametrize("count", [2, 3])
def test_a_turn_that_comes_at_once_is_followed_by_those_that_waited_for_it(count: int) -> None:
    known: list[int] = []

    async def scene() -> None:
        line = order()
        first, *others = [line.begin(f"step:{number}") for number in range(count)]
        assert first.claim()
        for number, place in enumerate(others, 1):
            assert place.claim()
            place.deliver(partial(known.append, number))
        await asyncio.sleep(0)
        assert known == []

        assert first.is_next()
        assert known == [], "the code that asked goes on first"
        await asyncio.sleep(0)

    asyncio.run(scene())
    assert known == list(range(1, count))


def test_a_turn_comes_also_where_nothing_can_be_recorded_any_more() -> None:
    known: list[int] = []

    async def scene() -> None:
        line = order()
        place, _ = line.begin("step:0"), line.begin("step:1")
        place.claim()
        line.tick()  # by a socket of the code's own: the stamp is to be recorded anew
        place.deliver(lambda: known.append(0))
        await asyncio.sleep(0)

    asyncio.run(scene())
    assert known == [0]


def test_what_comes_for_a_place_that_was_given_up_holds_nothing_up() -> None:
    """A thread has ended, its caller is cancelled, and only then the loop takes the outcome."""
    known: list[int] = []

    async def scene() -> Order:
        line = order()
        place, other = line.begin("step:0"), line.begin("step:1")
        place.claim()
        place.drop()
        await asyncio.sleep(0)
        place.deliver(partial(known.append, 0))
        other.claim()
        other.deliver(partial(known.append, 1))
        await asyncio.sleep(0)
        return line

    line = asyncio.run(scene())

    assert known == [1]
    assert not line.has_undelivered


def test_what_was_given_up_before_it_happened_holds_nothing_up() -> None:
    async def scene() -> Order:
        line = order()
        place, _ = line.begin("step:0"), line.begin("step:1")
        place.drop()
        assert place.claim() == ""
        place.deliver(lambda: None)
        await asyncio.sleep(0)
        return line

    assert not asyncio.run(scene()).has_undelivered
