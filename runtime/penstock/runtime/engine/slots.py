"""Steps that wait for their turn: for a thread, or for a place on the loop."""

from __future__ import annotations

__all__ = ["LoopJob", "ThreadJob"]

import asyncio
import threading
from concurrent.futures import InvalidStateError
from contextlib import suppress
from typing import Any, Final

from penstock.runtime.engine.step import Step, StepRunner
from penstock.runtime.engine.waiting.future import OutcomeUse, StepFuture, settle
from penstock.runtime.journal.outcome import Outcome

INLINE_DEPTH: Final = 8
"""How deep a waiting thread may itself run the steps it waits for."""

_depth = threading.local()


class ThreadJob:
    """A sync step that waits for a thread, or for the one that asks for its result."""

    __slots__ = ("_free", "_runner", "future", "step")

    def __init__(self, runner: StepRunner, step: Step, use: OutcomeUse) -> None:
        self._runner = runner
        self._free = threading.Lock()
        self.step = step
        step.caller = step.calling_step()
        self.future: StepFuture[Any] = StepFuture(use, self.help_out)

    def begin(self) -> None:
        """Let a thread run it soon."""
        self._runner.threads.start(self)

    def help_out(self) -> None:
        """Run the step in the thread that waits for it, unless it is running already."""
        depth = getattr(_depth, "value", 0)
        if depth < INLINE_DEPTH and not self.is_taken and self._runner.limiter.pull(self):
            _depth.value = depth + 1
            try:
                self.run()
            finally:
                _depth.value = depth

    def refuse(self, error: BaseException) -> None:
        """End the step before it has begun."""
        if self._free.acquire(blocking=False):
            self._settle(Outcome(error=error))
            self.future.forget_job()
            self._runner.running_steps.ended(self.step.id)

    @property
    def is_taken(self) -> bool:
        """Whether a thread has begun the step."""
        return self._free.locked()

    def run(self) -> None:
        """Perform the step, unless another thread has begun it."""
        if not self._free.acquire(blocking=False):
            return
        future = self.future
        try:
            if not future.cancelled():
                value = self._runner.perform(self.step)
                with suppress(InvalidStateError):  # cancelled: recorded, and nobody waits for it
                    future.set_result(value)
        except BaseException as error:
            self._settle(Outcome(error=error))
        finally:
            future.forget_job()
            self._runner.limiter.leave(self)
            self._runner.running_steps.ended(self.step.id)

    def _settle(self, outcome: Outcome) -> None:
        # Cancelled meanwhile: the outcome is recorded, and nobody waits for it.
        if self.future.set_running_or_notify_cancel():
            settle(self.future, outcome)


class LoopJob:
    """A step on the loop that waits until there is room for it."""

    def __init__(self, step: Step, loop: asyncio.AbstractEventLoop) -> None:
        self.step = step
        step.caller = step.calling_step()
        self.free = asyncio.Event()
        self._loop = loop

    def begin(self) -> None:
        """Let it go on."""
        self._loop.call_soon_threadsafe(self.free.set)
