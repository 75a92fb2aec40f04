"""Waits in process: where they are short enough to hold it, and what a replay makes of them."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest

from penstock.runtime import (
    Command,
    InMemorySaver,
    RedisSaver,
    RetryPolicy,
    asleep,
    entrypoint,
    interrupt,
    sleep,
    task,
)
from penstock.runtime.errors import InterruptTimeoutError, OutsideRunError

CONFIG = {"configurable": {"thread_id": "t"}}


@pytest.fixture(params=["memory", "redis"])
def saver(request: pytest.FixtureRequest) -> RedisSaver:
    if request.param == "memory":
        return InMemorySaver()
    return RedisSaver(request.getfixturevalue("redis_url"))


def took(begin: float) -> float:
    return time.monotonic() - begin


def test_a_sleep_is_not_slept_again_by_a_replay(saver: RedisSaver) -> None:
    @entrypoint(checkpointer=saver)
    def flow(_: str) -> Any:
        sleep(0.4)
        answer = interrupt("well?")
        sleep(timedelta(seconds=0.2))
        return answer

    begin = time.monotonic()
    flow.invoke("go", CONFIG)
    assert took(begin) >= 0.4
    begin = time.monotonic()

    assert flow.invoke(Command(resume="yes"), CONFIG) == "yes"

    assert 0.2 <= took(begin) < 0.4


def test_many_async_sleeps_are_slept_at_once() -> None:
    @task
    async def nap(seconds: float) -> float:
        await asleep(seconds)
        return seconds

    @entrypoint(checkpointer=InMemorySaver())
    async def flow(number: int) -> int:
        futures = [nap(0.3) for _ in range(number)]
        return len([await future for future in futures])

    begin = time.monotonic()

    assert asyncio.run(flow.ainvoke(100, CONFIG)) == 100

    assert took(begin) < 2.0


def test_a_sleep_without_a_checkpointer_is_a_sleep() -> None:
    @entrypoint()
    def flow(_: str) -> str:
        sleep(0.2)
        return "up"

    begin = time.monotonic()

    assert flow.invoke("go") == "up"

    assert took(begin) >= 0.2


def test_a_sleep_that_would_hold_up_the_loop_is_refused() -> None:
    @entrypoint()
    async def flow(_: str) -> None:
        sleep(0.1)

    with pytest.raises(RuntimeError, match="await asleep"):
        asyncio.run(flow.ainvoke("go"))


def test_a_sleep_belongs_to_a_run() -> None:
    with pytest.raises(OutsideRunError):
        sleep(1.0)


def test_a_question_whose_time_is_over_goes_on_without_an_answer(saver: RedisSaver) -> None:
    @entrypoint(checkpointer=saver)
    def flow(_: str) -> Any:
        first = "answered"
        try:
            interrupt("well?", timeout=0.2)
        except InterruptTimeoutError as error:
            first = type(error).__name__
            assert "default=" in str(error)
            assert error.run_id
        return [first, interrupt("then?", timeout=0.2, default="late")]

    assert "__interrupt__" in flow.invoke("go", CONFIG)
    time.sleep(0.25)
    assert "__interrupt__" in flow.invoke(None, CONFIG)
    time.sleep(0.25)

    assert flow.invoke(None, CONFIG) == ["InterruptTimeoutError", "late"]


def test_a_question_is_not_asked_longer_by_asking_again(saver: RedisSaver) -> None:
    @entrypoint(checkpointer=saver)
    def flow(_: str) -> Any:
        return interrupt("well?", timeout=0.4, default="nobody")

    flow.invoke("go", CONFIG)
    begin = time.monotonic()
    while "__interrupt__" in (result := {"": flow.invoke(None, CONFIG)})[""]:
        time.sleep(0.05)

    assert result == {"": "nobody"}
    assert took(begin) < 2.0


def test_an_answer_in_time_is_the_answer_for_good(saver: RedisSaver) -> None:
    @entrypoint(checkpointer=saver)
    def flow(_: str) -> Any:
        first = interrupt("well?", timeout=0.3, default="nobody")
        return [first, interrupt("then?")]

    flow.invoke("go", CONFIG)
    flow.invoke(Command(resume="in time"), CONFIG)
    time.sleep(0.35)

    assert flow.invoke(Command(resume="2"), CONFIG) == ["in time", "2"]


def test_tries_before_an_interrupt_count_after_it(saver: RedisSaver) -> None:
    tried: list[int] = []

    @task(retry_policy=RetryPolicy(initial_interval=0.0, jitter=False, max_attempts=3))
    def step() -> None:
        tried.append(len(tried))
        if len(tried) == 2:
            interrupt("go on?")
        raise AssertionError(len(tried))

    @entrypoint(checkpointer=saver)
    def flow(_: str) -> None:
        step().result()

    flow.invoke("go", CONFIG)
    with pytest.raises(AssertionError):
        flow.invoke(Command(resume=True), CONFIG)
    assert len(tried) == 3 + 1  # the second try was broken off by the interrupt, and came again


def test_the_tries_of_a_body_count_over_its_replays(saver: RedisSaver) -> None:
    tried: list[str] = []

    @entrypoint(
        checkpointer=saver,
        retry_policy=RetryPolicy(initial_interval=0.0, jitter=False, max_attempts=3),
    )
    def flow(_: str) -> None:
        tried.append("body")
        if len(tried) == 2:
            interrupt("go on?")
        raise AssertionError(len(tried))

    flow.invoke("go", CONFIG)
    with pytest.raises(AssertionError):
        flow.invoke(Command(resume=True), CONFIG)
    assert len(tried) == 4
