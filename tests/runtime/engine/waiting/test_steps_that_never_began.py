"""Steps on the loop that never begin, and errors that nobody awaits: neither holds up a run."""

from __future__ import annotations

import asyncio
import gc
import logging
from typing import Any

import pytest

from penstock.runtime import entrypoint, task
from tests.runtime.engine.waiting.steps import counted
from tests.runtime.flows import Calls

QUICK = 5.0


def finished(flow: Any, **options: Any) -> Any:
    async def run() -> Any:
        async with asyncio.timeout(QUICK):
            return await flow.ainvoke("go", **options)

    return asyncio.run(run())


def test_a_step_cancelled_before_its_first_line_holds_no_run(calls: Calls) -> None:
    pay = counted(calls, 0.0)

    @entrypoint()
    async def flow(_: str) -> str:
        begun: Any = pay("never")
        begun.cancel()
        return "over"

    assert finished(flow) == "over"
    assert calls.made == []


def test_a_step_cancelled_as_it_waits_for_room_holds_no_run(calls: Calls) -> None:
    pay = counted(calls, 0.05)

    @entrypoint()
    async def flow(_: str) -> Any:
        begun: list[Any] = [pay("first"), pay("second")]
        await asyncio.sleep(0.01)
        begun[1].cancel()
        return await begun[0]

    finished(flow, config={"max_concurrency": 1})

    assert calls.made == ["first"]


def test_the_run_waits_for_a_step_that_nobody_awaits(calls: Calls) -> None:
    pay = counted(calls, 0.05)

    @entrypoint()
    async def flow(_: str) -> str:
        pay("once")
        await asyncio.sleep(0)
        return "over"

    assert finished(flow) == "over"
    assert calls.made == ["once"]


def test_asyncio_does_not_report_the_error_of_a_step(caplog: pytest.LogCaptureFixture) -> None:
    @task
    async def fail() -> None:
        raise ValueError("on purpose")

    @entrypoint()
    async def flow(_: str) -> str:
        fail()
        await asyncio.sleep(0.01)
        return "over"

    with caplog.at_level(logging.ERROR, "asyncio"):
        assert finished(flow) == "over"
        gc.collect()

    assert [record for record in caplog.records if record.name == "asyncio"] == []
