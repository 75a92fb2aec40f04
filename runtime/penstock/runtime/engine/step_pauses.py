"""The pauses that steps of one attempt spend in its process, and what ends them early."""

from __future__ import annotations

__all__ = ["StepPauses"]

import asyncio
import contextvars

from penstock.runtime.engine.attempt.attempt import Attempt
from penstock.runtime.engine.effects import Pause
from penstock.runtime.engine.lifecycle import drained
from penstock.runtime.engine.pauses import until
from penstock.runtime.engine.step import Step
from penstock.runtime.engine.waiting.short_pauses import ShortPauses
from penstock.runtime.errors import Suspend
from penstock.runtime.journal.step_id import ancestry


class StepPauses:
    """Pauses of one attempt: they end when their time is over, or nobody waits for their step."""

    def __init__(self, attempt: Attempt, loop: asyncio.AbstractEventLoop | None) -> None:
        self._attempt = attempt
        self._loop = loop
        self._pauses = ShortPauses()
        self._given_up = set[str]()
        self._is_closed = False

    def wait(self, step: Step, pause: Pause) -> None:
        """Pause a step in its thread."""
        self._pauses.wait(pause.seconds, lambda: self._ends_early(step, pause))
        self._attempt.check()
        if self.is_given_up(step):
            raise Suspend(f"nobody waits for step {step.id!r} any more")
        if self._is_left(step, pause):
            raise drained(step)

    async def await_(self, step: Step, pause: Pause) -> None:
        """Pause a step on the loop."""
        await self._pauses.await_(pause.seconds, lambda: self._ends_early(step, pause))
        self._attempt.check()
        if self._is_left(step, pause):
            (name,) = drained(step).waits
            await until(step, name, None, None)

    def is_given_up(self, step: Step) -> bool:
        """Tell whether nobody waits for a step: it, or one around it, was cancelled in a thread."""
        return self._is_closed or not self._given_up.isdisjoint(ancestry(step.id))

    def give_up(self, step: Step) -> None:
        """Let a step, and those below it, pause no more: nobody waits for it."""
        self._given_up.add(step.id)
        self.look_again()

    def look_again(self) -> None:
        """End the pauses that there is a reason to end; from any thread."""
        self._pauses.look_again()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(
                self._pauses.look_again_on_loop, context=contextvars.Context()
            )

    def close(self) -> None:
        """Let threads that pause go: the attempt is over."""
        self._is_closed = True
        self._pauses.look_again()

    def _ends_early(self, step: Step, pause: Pause) -> bool:
        """Tell whether there is no reason to pause any more."""
        if self._attempt.stopping is not None or self.is_given_up(step):
            return True
        return self._attempt.control.drain_requested and (
            pause.is_between_tries or self._is_left(step, pause)
        )

    def _is_left(self, step: Step, pause: Pause) -> bool:
        """Tell whether code that pauses is left here, as its run drains.

        A step at work is not: it pauses, and goes on to its end. Between two tries, the plan of the
        step sees to it.
        """
        if pause.is_between_tries or not self._attempt.control.drain_requested:
            return False
        return step.performer() is not step
