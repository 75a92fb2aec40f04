"""A run that has left its process, or is over, leaves nothing of itself in memory."""

from __future__ import annotations

import asyncio
import gc
import weakref
from dataclasses import dataclass
from typing import Any

from penstock.runtime import InMemorySaver, entrypoint, interrupt, task
from tests.runtime.engine.waiting.steps import work
from tests.support.ways import CONFIG


@dataclass
class Thing:
    """Something that code of a run holds."""


held: list[weakref.ref[Thing]] = []


def hold() -> Thing:
    thing = Thing()
    held.append(weakref.ref(thing))
    return thing


@task
async def made_at_once() -> Thing:
    return hold()


@task
async def made_after_a_wait() -> Thing:
    await asyncio.sleep(0.001)
    return hold()


async def left_of(flow: Any) -> list[Thing | None]:
    held.clear()
    asked: Any = await flow.ainvoke("", CONFIG)
    assert asked["__interrupt__"]
    gc.collect()
    return [each() for each in held]


def test_stacks_kept_for_the_next_coroutines_hold_nothing_of_a_run() -> None:
    @entrypoint(checkpointer=InMemorySaver())
    async def flow(_: str) -> str:
        async def fails() -> None:
            thing = hold()
            await work("x")
            raise ValueError(f"failed with {type(thing).__name__}")

        async def asks() -> str:
            thing = hold()
            return f"{interrupt('?')} {type(thing).__name__}"

        try:
            await asyncio.gather(fails(), work("y"))
        except ValueError:
            pass
        return await asks()

    assert asyncio.run(left_of(flow)) == [None, None]


def test_stacks_kept_for_the_next_coroutines_hold_nothing_that_one_returned() -> None:
    @entrypoint(checkpointer=InMemorySaver())
    async def flow(_: str) -> str:
        for _again in range(2):
            await made_at_once()
            await made_after_a_wait()
        await asyncio.gather(made_at_once(), made_after_a_wait(), made_at_once())
        return str(interrupt("?"))

    assert asyncio.run(left_of(flow)) == [None] * 7
