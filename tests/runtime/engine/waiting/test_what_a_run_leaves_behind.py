"""A run that has left its process, or is over, leaves nothing of itself in memory."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

from penstock.runtime import InMemorySaver, entrypoint, interrupt
from tests.runtime.engine.waiting.steps import work
from tests.support.ways import CONFIG


class Thing:
    """Something that code of a run holds."""


def test_stacks_kept_for_the_next_coroutines_hold_nothing_of_a_run() -> None:
    held: list[weakref.ref[Thing]] = []

    def hold() -> Thing:
        thing = Thing()
        held.append(weakref.ref(thing))
        return thing

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

    async def left() -> list[Thing | None]:
        asked: Any = await flow.ainvoke("", CONFIG)
        assert asked["__interrupt__"]
        gc.collect()
        return [each() for each in held]

    assert asyncio.run(left()) == [None, None]
