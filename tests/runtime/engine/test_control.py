"""Asking a run from outside to stop at its next step."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from penstock.runtime import RedisSaver, RunControl, Runtime, entrypoint, get_runtime, task
from penstock.runtime.errors import RunDrainedError, RunError
from tests.runtime.flows import Calls, in_background, thread


@task
def work(x: int) -> int:
    return x + 1


def stepping(saver: RedisSaver | None, calls: Calls, control: RunControl, kind: str) -> Any:
    """A workflow of five steps, which asks its own control to drain after the second one."""

    @task
    def step(x: int) -> int:
        calls(x)
        return x

    def after(x: int) -> None:
        if x == 1:
            control.request_drain("the host goes down")

    @entrypoint(checkpointer=saver)
    def main(_: str) -> list[int]:
        found: list[int] = []
        for x in range(5):
            found.append(step(x).result())
            after(x)
        return found

    @entrypoint(checkpointer=saver, name="main")
    async def amain(_: str) -> list[int]:
        found: list[int] = []
        for x in range(5):
            found.append(await step(x))
            after(x)
        return found

    return main if kind == "sync" else amain


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("method", ["invoke", "stream"])
def test_a_run_drains_at_its_next_step_and_goes_on_with_none(
    saver: RedisSaver, kind: str, method: str
) -> None:
    calls, control = Calls(), RunControl()
    main = stepping(saver, calls, control, kind)

    def call(value: Any, **options: Any) -> Any:
        if method == "invoke" and kind == "sync":
            return main.invoke(value, thread(), **options)
        if method == "invoke":
            return asyncio.run(main.ainvoke(value, thread(), **options))
        if kind == "sync":
            return list(main.stream(value, thread(), stream_mode="values", **options))[-1]
        return asyncio.run(last(main.astream(value, thread(), stream_mode="values", **options)))

    with pytest.raises(RunDrainedError, match="invoke with None") as caught:
        call("x", control=control)
    assert isinstance(caught.value, RunError)
    assert (control.drain_requested, control.drain_reason) == (True, "the host goes down")
    assert calls.made == [0, 1]

    assert call(None) == [0, 1, 2, 3, 4]
    assert calls.made == [0, 1, 2, 3, 4]


async def last(chunks: Any) -> Any:
    return [chunk async for chunk in chunks][-1]


def test_a_run_whose_control_has_been_asked_before_stops_at_its_first_step(
    saver: RedisSaver,
) -> None:
    control = RunControl()
    control.request_drain()
    calls = Calls()

    with pytest.raises(RunDrainedError):
        stepping(saver, calls, RunControl(), "sync").invoke("x", thread(), control=control)
    assert calls.made == []


def test_without_a_checkpointer_a_drained_run_is_over() -> None:
    control = RunControl()

    with pytest.raises(RunDrainedError):
        stepping(None, Calls(), control, "sync").invoke("x", control=control)


def test_one_control_drains_all_the_runs_it_is_given_to(saver: RedisSaver) -> None:
    control, ready = RunControl(), threading.Barrier(4)

    @entrypoint(checkpointer=saver)
    def main(x: int) -> int:
        ready.wait(10)
        while not get_runtime().drain_requested:
            threading.Event().wait(0.001)
        return work(x).result()

    def start(number: int) -> Any:
        return in_background(lambda: main.invoke(number, thread(f"{number}"), control=control))

    runs = [start(number) for number in range(3)]
    ready.wait(10)
    control.request_drain("first")
    control.request_drain("second")

    for run in runs:
        with pytest.raises(RunDrainedError):
            run.result(10)
    assert control.drain_reason == "first"


def test_code_sees_that_it_is_asked_and_may_do_so_itself(saver: RedisSaver) -> None:
    @entrypoint(checkpointer=saver)
    def main(_: str, *, runtime: Runtime[Any]) -> Any:
        seen = [runtime.drain_requested, runtime.drain_reason]
        assert runtime.control is not None
        if runtime.execution_info.attempt == 1 and not seen[0]:
            return [*seen, runtime.control.drain_requested]
        return None

    assert main.invoke("x", thread(), control=RunControl()) == [False, None, False]
    assert main.invoke("x", thread()) == [False, None, False]


def test_a_control_forgets_the_runs_that_are_over(saver: RedisSaver) -> None:
    control, told = RunControl(), Calls()

    @entrypoint(checkpointer=saver)
    def main(x: int) -> int:
        return work(x).result()

    assert main.invoke(1, thread(), control=control) == 2
    control.watch(told)
    control.request_drain("late")

    assert told.made == ["late"]
    control.forget(told)
    assert main.invoke(1, thread()) == 2
