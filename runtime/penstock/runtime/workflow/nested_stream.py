"""The chunks of entrypoints called inside a run: those of a step, as if it were a run."""

from __future__ import annotations

__all__ = ["as_run", "astream_nested", "stream_nested"]

import asyncio
import dataclasses
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from typing import Any, Final

from penstock.runtime.engine.step import Step
from penstock.runtime.journal.fact import Fact, Listener
from penstock.runtime.journal.step_id import caller, namespace, step_name
from penstock.runtime.streaming.chunk_format import Shape
from penstock.runtime.types.call_options import Options
from penstock.runtime.workflow.definition import Definition
from penstock.runtime.workflow.nested_call import NestedCall, call_nested
from penstock.runtime.workflow.relay import AsyncRelay, Relay

_OF_RECORD: Final = ("values", "updates")
"""The modes in which a child that an earlier attempt has finished is seen: by its value alone."""


def stream_nested(child: Definition, argument: Any, options: Options) -> Iterator[Any]:
    """Run an entrypoint as a step of the current run, and yield its chunks as they come.

    It begins when the first chunk is asked for, but this call fixes its step id: the calls have
    the order of the code in every attempt, whereas any thread or asyncio task may read a stream.

    A reader that leaves early waits for the step, which is recorded: its thread cannot be stopped.
    On the loop the step runs to its end before the first chunk, because the reader blocks the loop.
    """
    return _stream(*_called(child, argument, options))


def astream_nested(child: Definition, argument: Any, options: Options) -> AsyncIterator[Any]:
    """As `stream_nested`, on the running loop.

    If the reader leaves early, the step is cancelled, and nothing of it but the finished steps
    below is recorded: a replay begins it again.
    """
    return _astream(*_called(child, argument, options))


def _called(child: Definition, argument: Any, options: Options) -> tuple[NestedCall, Shape]:
    call = call_nested(child, argument, options)
    inherited = dataclasses.replace(options, config=call.step.assignment.config)
    return call, Shape(child.name, inherited, "values")


def _stream(call: NestedCall, shape: Shape) -> Generator[Any]:
    if call.recorded is not None:
        yield from _recorded(call, shape)
        return
    runner = call.step.runner

    def work(listen: Listener) -> None:
        runner.running_steps.began(call.step.id)
        try:
            with _followed(call.step, listen):
                call.perform()
        finally:
            runner.running_steps.ended(call.step.id)

    thread = None if runner.is_on_loop else f"penstock-{call.step.name}"
    with Relay(work, thread) as facts:
        for fact in facts:
            yield from shape.items(fact)
    facts.result()


async def _astream(call: NestedCall, shape: Shape) -> AsyncGenerator[Any]:
    if call.recorded is not None:
        for chunk in _recorded(call, shape):
            yield chunk
        return

    async def work(listen: Listener) -> None:
        with _followed(call.step, listen):
            await call.aperform()

    def begin(listen: Listener) -> asyncio.Task[None]:
        loop, context = asyncio.get_running_loop(), call.step.context.copy()
        task = asyncio.Task(work(listen), loop=loop, context=context)
        call.step.runner.running_steps.watch_task(call.step.id, task)
        return task

    async with AsyncRelay(begin) as facts:
        async for fact in facts:
            for chunk in shape.items(fact):
                yield chunk
    facts.result()


def _recorded(call: NestedCall, shape: Shape) -> Iterator[Any]:
    outcome = {"value": call.perform()}
    data = {"name": call.step.name, "status": "completed", "outcome": outcome}
    return shape.items(Fact("run.finished", data, (), time.time()), _OF_RECORD)


@contextmanager
def _followed(step: Step, listen: Listener) -> Generator[None]:
    """Forward the facts of a step to a listener as if it were a run; its value comes last."""
    values: list[Fact] = []

    def forward(fact: Fact) -> None:
        seen = as_run(step.id, fact)
        if seen is not None:
            is_value = seen.mode == "run.finished" and seen.data["status"] == "completed"
            (values.append if is_value else listen)(seen)

    with step.attempt.listening(forward):
        yield
    for value in values:
        listen(value)


def as_run(step_id: str, fact: Fact) -> Fact | None:
    """Return a fact as it looks if the step of that id were a run.

    None if it is not about the step or one below, or if it is a question of the step itself: the
    reader does not get it, because the question stops the code that reads.
    """
    data, is_about_step = fact.data, fact.mode.startswith("step.")
    about = data["id"] if is_about_step else "/".join(fact.namespace)
    if about != step_id and not about.startswith(f"{step_id}/"):
        return None
    inside = about[len(step_id) + 1 :]
    if not is_about_step:
        if fact.mode == "message":
            data = {**data, "step": inside}
        return fact._replace(data=data, namespace=namespace(inside))
    if inside or fact.mode == "step.retry":
        return fact._replace(data={**data, "id": inside}, namespace=caller(inside))
    return _of_itself(step_name(step_id), fact)


def _of_itself(name: str, fact: Fact) -> Fact | None:
    if fact.mode == "step.started":
        (argument,), _ = fact.data["input"]
        return Fact("run.started", {"name": name, "input": argument}, (), fact.time)
    if fact.mode == "step.finished":
        status = "failed" if "error" in fact.data["outcome"] else "completed"
        data = {**fact.data, "name": name, "status": status}
        del data["id"]
        return Fact("run.finished", data, (), fact.time)
    return None
