"""One call of an entrypoint in this process, from its arguments to its chunks or its value."""

from __future__ import annotations

__all__ = ["Invocation"]

import asyncio
import uuid
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import copy_context
from dataclasses import replace
from functools import cached_property
from typing import Any

from penstock.publisher.codec.codec import Codec
from penstock.publisher.codec.encrypted import codec_of_environment
from penstock.runtime.engine.attempt.attempt import Attempt
from penstock.runtime.engine.execute import aexecute, execute
from penstock.runtime.engine.function.step_function import StepFunction, failing
from penstock.runtime.engine.runner import Runner
from penstock.runtime.errors import (
    ConfigurationError,
    EmptyInputError,
    Fenced,
    LeaseLostError,
    ResumeError,
    RunCancelledError,
    RunDrainedError,
    Stop,
)
from penstock.runtime.journal.assignment import Assignment
from penstock.runtime.journal.checkpointer import Opening, Order
from penstock.runtime.journal.endings import HandedOver
from penstock.runtime.journal.fact import Listener
from penstock.runtime.journal.journal import NoJournal
from penstock.runtime.journal.result import Result
from penstock.runtime.journal.run_input import Given, accepted
from penstock.runtime.streaming.chunk_format import Form, Shape
from penstock.runtime.types.call_options import Options
from penstock.runtime.types.interrupt import Command
from penstock.runtime.workflow.definition import Definition
from penstock.runtime.workflow.relay import AsyncRelay, Relay


class Invocation:
    """One call of an entrypoint in this process."""

    def __init__(self, entrypoint: Definition, argument: Any, options: Options) -> None:
        self._entrypoint = entrypoint
        self._argument = argument
        self._options = options

    def run(self) -> Result:
        """Execute in this thread, for the result alone."""
        opening = self._open()
        return _checked(opening, opening.result or self._execute(opening, self._printer()))

    async def arun(self) -> Result:
        """Execute on the running loop, for the result alone."""
        opening = await self._aopen()
        if opening.result is not None:
            return opening.result
        listen = self._printer()
        return _checked(opening, await asyncio.create_task(self._aexecute(opening, listen)))

    def stream(self) -> Iterator[Any]:
        """Execute in a thread of its own, and yield the chunks as they come."""
        shape = Shape(self._entrypoint.name, self._options)
        opening = self._open()
        yield from shape.first(opening, resumes=self._resumes)
        if opening.result is not None:
            return
        thread = f"penstock-{self._entrypoint.name}"
        with Relay(lambda listen: self._execute(opening, listen), thread) as facts:
            for fact in facts:
                yield from shape.items(fact)
        yield from _ended(opening, facts.result(), shape)

    async def astream(self, form: Form | None = None) -> AsyncIterator[Any]:
        """Execute on the running loop, and yield the chunks as they come, in the given form."""
        shape = form or Shape(self._entrypoint.name, self._options)
        opening = await self._aopen()
        for item in shape.first(opening, resumes=self._resumes):
            yield item
        if opening.result is not None:
            return

        def begin(listen: Listener) -> asyncio.Task[Result]:
            loop, context = asyncio.get_running_loop(), copy_context()
            return loop.create_task(self._aexecute(opening, listen), context=context)

        async with AsyncRelay(begin) as facts:
            async for fact in facts:
                for item in shape.items(fact):
                    yield item
        for item in _ended(opening, facts.result(), shape):
            yield item

    # -- parts ----------------------------------------------------------------------------------

    @property
    def _resumes(self) -> bool:
        return self._argument is None or isinstance(self._argument, Command)

    @property
    def _checkpointer(self) -> Any:
        return self._entrypoint.checkpointer

    @cached_property
    def _codec(self) -> Codec:
        saver = self._checkpointer
        return saver.codec if saver is not None else codec_of_environment()

    def _printer(self) -> Listener | None:
        options = self._options
        return Shape(self._entrypoint.name, options, "values").show if options.printed else None

    def _open(self) -> Opening:
        entrypoint, options = self._entrypoint, self._options
        if isinstance(self._argument, Command):
            self._argument.reject_update()
        thread_id = entrypoint.thread_of(options.config)
        context = entrypoint.accept_context(options.context)
        argument = self._argument if self._resumes else entrypoint.accept(self._argument)
        if self._checkpointer is not None:
            order = Order(
                entrypoint=entrypoint.name,
                thread_id=thread_id,
                argument=argument,
                config=options.config,
                context=context,
                store=entrypoint.store,
                cache=entrypoint.cache,
                durability=options.durability or "async",
                hold=bool(options.interrupt_before),
                is_accepted=entrypoint.converts(options.context),
            )
            opening: Opening = self._checkpointer.open(order)
            return opening
        return self._open_unkept(thread_id, argument, context)

    def _open_unkept(self, thread_id: str, argument: Any, context: Any) -> Opening:
        entrypoint, options = self._entrypoint, self._options
        if options.interrupt_before:
            raise ConfigurationError("interrupt_before needs an entrypoint with a checkpointer.")
        if options.durability is not None:
            warnings.warn(
                f"durability={options.durability!r} has no meaning for {entrypoint.name!r}: it has "
                "no checkpointer.",
                stacklevel=4,
            )
        if isinstance(self._argument, Command):
            raise ResumeError("Command(resume=...) needs an entrypoint with a checkpointer.")
        if self._argument is None:
            raise EmptyInputError("the input is None and there is no checkpointer to resume from.")
        run_id = uuid.uuid4().hex
        assignment = Assignment(
            run_id=run_id,
            thread_id=thread_id or run_id,
            entrypoint=entrypoint.name,
            config=options.config,
            context=context,
            store=entrypoint.store,
            cache=entrypoint.cache,
        )
        return Opening(assignment, NoJournal(), argument)

    async def _aopen(self) -> Opening:
        if self._checkpointer is None:
            return self._open()
        opening = asyncio.ensure_future(asyncio.to_thread(self._open))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            # What the thread has begun is to be given back, or the run stays leased for nothing.
            opening.add_done_callback(_close_unused)
            raise

    def _attempt(self, opening: Opening, listen: Listener | None) -> Attempt:
        durability = self._options.durability or "async"
        return Attempt(
            opening.assignment,
            opening.journal,
            self._codec,
            durability=durability,
            listener=listen,
            control=self._options.control,
        )

    def _prepared(self, opening: Opening) -> tuple[Opening, StepFunction]:
        """Return the body to execute, or one that fails if the input is refused."""
        entrypoint, assignment = self._entrypoint, opening.assignment
        if opening.is_accepted and not isinstance(assignment.context, dict):
            return opening, entrypoint.body
        given = Given(opening.argument, assignment.context, opening.is_accepted)
        try:
            given, kept = accepted(entrypoint, given, self._codec.at("run", assignment.run_id))
            for field, text in kept.items():
                opening.journal.keep(field, text)
        except Exception as error:
            return opening, failing(entrypoint.name, error)
        assignment = replace(assignment, context=given.context)
        return replace(opening, assignment=assignment, argument=given.argument), entrypoint.body

    def _execute(self, opening: Opening, listen: Listener | None) -> Result:
        opening, body = self._prepared(opening)
        attempt = self._attempt(opening, listen)
        runner = Runner(attempt, self._entrypoint.threads, limit=self._options.limit)
        try:
            self._guard(opening, runner, lambda: None)
            return execute(runner, body, opening.argument)
        finally:
            runner.close()
            self._release(opening)

    async def _aexecute(self, opening: Opening, listen: Listener | None) -> Result:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        opening, body = self._prepared(opening)
        attempt = self._attempt(opening, listen)
        runner = Runner(attempt, self._entrypoint.threads, loop, self._options.limit)

        def cancel() -> None:
            if not attempt.is_over:  # else it waits for its end to be stored
                task.cancel()

        try:
            self._guard(opening, runner, lambda: loop.call_soon_threadsafe(cancel))
            return await aexecute(runner, body, opening.argument)
        finally:
            runner.close()
            self._release(opening)

    def _guard(self, opening: Opening, runner: Runner, interrupt: Callable[[], object]) -> None:
        def on_stop(stop: Stop) -> None:
            runner.stop(stop)
            if isinstance(stop, Fenced):
                opening.journal.fail(LeaseLostError(str(stop)))
            interrupt()

        if self._checkpointer is not None:
            self._checkpointer.guard(opening.journal, on_stop)

    def _release(self, opening: Opening) -> None:
        if self._checkpointer is not None:
            self._checkpointer.release(opening.journal)


def _checked(opening: Opening, result: Result) -> Result:
    """Return a result, unless the run was cancelled or asked to drain."""
    run_id = opening.assignment.run_id
    if result.status == "cancelled":
        raise RunCancelledError(run_id, f"run {run_id!r} was cancelled.")
    if result.status == "handed over":
        raise RunDrainedError(
            run_id, f"run {run_id!r} was asked to drain; invoke with None to continue it."
        )
    return result


def _ended(opening: Opening, result: Result, form: Form) -> Iterator[Any]:
    """Yield the last chunks of a run, or raise its error."""
    if (error := _checked(opening, result).error) is not None:
        raise error
    yield from form.ended()


def _close_unused(opening: asyncio.Future[Opening]) -> None:
    if opening.cancelled() or opening.exception() is not None:
        return
    journal = opening.result().journal
    journal.close(HandedOver())
    opening.get_loop().run_in_executor(None, journal.flush)
