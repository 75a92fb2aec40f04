"""Which ends of gathered steps let code go on, and which do not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from penstock.runtime import InMemorySaver, entrypoint, interrupt, task
from penstock.runtime.engine.waiting.gathered import Gathered
from tests.runtime.flows import thread

silent: dict[str, bool] = {}


@pytest.fixture(autouse=True)
def watched(monkeypatch: pytest.MonkeyPatch) -> None:
    silent.clear()
    tell = Gathered.wakes_nobody

    def told(gathered: Gathered, future: Any) -> bool:
        silent[future.step_id.rpartition(":")[2]] = found = tell(gathered, future)
        return found

    monkeypatch.setattr(Gathered, "wakes_nobody", told)


@task
async def step(number: int, *, fails: bool = False) -> int:
    await asyncio.sleep(0.01 * number)
    if fails:
        raise ValueError(number)
    return number


def ended_silently(body: Any) -> list[str]:
    """Run a body, and name the steps whose ends were taken to let no code go on."""
    flow = entrypoint(checkpointer=InMemorySaver())(body)
    asyncio.run(flow.ainvoke("", thread("t")))
    return [number for number, is_silent in silent.items() if is_silent]


def test_of_a_gather_only_the_last_end_lets_code_go_on() -> None:
    async def body(_: str) -> list[int]:
        return await asyncio.gather(*(step(number) for number in range(4)))

    assert ended_silently(body) == ["0", "1", "2"]


def test_a_failure_that_a_gather_collects_counts_as_an_end() -> None:
    async def body(_: str) -> int:
        ended = await asyncio.gather(step(0), step(1, fails=True), step(2), return_exceptions=True)
        return len(ended)

    assert ended_silently(body) == ["0"]


def test_a_step_that_is_awaited_besides_lets_code_go_on() -> None:
    async def body(_: str) -> list[int]:
        first, second = step(0), step(1)

        async def waiting() -> int:
            return await first

        other = asyncio.create_task(waiting())
        await asyncio.sleep(0)
        return [*await asyncio.gather(first, second), await other]

    assert ended_silently(body) == []


def test_the_last_end_is_told_where_a_replay_has_some_of_them() -> None:
    async def body(_: str) -> list[Any]:
        found = await asyncio.gather(*(step(number) for number in range(3)))
        return [*found, interrupt("?")]

    assert ended_silently(body) == ["0", "1"]
