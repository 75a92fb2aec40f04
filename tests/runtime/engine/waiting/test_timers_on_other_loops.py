"""A run on uvloop, which shows none of its timers, stays for those of its code, as on asyncio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

import pytest
import uvloop

from penstock.runtime import InMemorySaver, entrypoint, interrupt
from tests.runtime.engine.waiting.steps import ask, first_of, work
from tests.support.ways import CONFIG

SOON: Final = 0.2

Loop = Callable[[], asyncio.AbstractEventLoop]
loops = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])


def result(flow: Callable[[], Coroutine[Any, Any, str]], loop: Loop) -> Any:
    """Return what a body comes to on a loop of some kind."""

    @entrypoint(checkpointer=InMemorySaver(), name="main")
    async def main(_: str) -> str:
        return await flow()

    with asyncio.Runner(loop_factory=loop) as runner:
        found: Any = runner.run(main.ainvoke("", CONFIG))
        return found


async def a_timeout() -> str:
    try:
        async with asyncio.timeout(SOON):
            return await ask("?")
    except TimeoutError:
        return "over"


async def a_timeout_set_later() -> str:
    try:
        async with asyncio.timeout(None) as limit:
            limit.reschedule(asyncio.get_running_loop().time() + SOON)
            return await ask("?")
    except TimeoutError:
        return "over"


async def wait_for() -> str:
    try:
        return await asyncio.wait_for(ask("?"), SOON)
    except TimeoutError:
        return "over"


async def a_sleep() -> str:
    async def sleeping() -> str:
        await asyncio.sleep(SOON)
        return await work("over", 0)

    async def asking() -> str:
        return str(interrupt("?"))

    return str(await first_of(sleeping(), asking()))


async def a_timer_that_sets_an_event() -> str:
    over = asyncio.Event()

    async def waiting() -> str:
        await over.wait()
        return "over"

    async def asking() -> str:
        return str(interrupt("?"))

    asyncio.get_running_loop().call_later(SOON, over.set)
    return str(await first_of(waiting(), asking()))


@loops
@pytest.mark.parametrize(
    "flow", [a_timeout, a_timeout_set_later, wait_for, a_sleep, a_timer_that_sets_an_event]
)
def test_a_timer_ends_a_wait(flow: Callable[[], Coroutine[Any, Any, str]], loop: Loop) -> None:
    assert result(flow, loop) == "over"


@loops
def test_a_timer_that_was_cancelled_keeps_no_run(loop: Loop) -> None:
    async def flow() -> str:
        async with asyncio.timeout(3600):
            await work("first")
        asyncio.get_running_loop().call_later(3600, print).cancel()
        return str(interrupt("?"))

    began = time.monotonic()
    found = result(flow, loop)

    assert found["__interrupt__"][0].value == "?"
    assert time.monotonic() - began < 3


def test_a_loop_is_left_as_it_was() -> None:
    async def flow() -> str:
        await asyncio.gather(*(work(str(number)) for number in range(3)))
        return "done"

    @entrypoint()
    async def main(_: str) -> str:
        return await flow()

    async def both() -> list[str]:
        return list(await asyncio.gather(main.ainvoke("one"), main.ainvoke("two")))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(both()) == ["done", "done"]
        assert "call_later" not in vars(runner.get_loop())
        assert "call_at" not in vars(runner.get_loop())
