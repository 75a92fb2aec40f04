"""Does what the plans of steps ask for: in threads, and on the loop."""

from __future__ import annotations

__all__ = ["Performer"]

import asyncio
from collections.abc import Awaitable
from functools import partial
from typing import Any

from penstock.publisher.plan import follow
from penstock.runtime.concurrency.thread_pool import ThreadPool
from penstock.runtime.engine.attempt.attempt import Attempt
from penstock.runtime.engine.body import acall, call, timed
from penstock.runtime.engine.effects import BODY, Do, Effect, Keep, Park, Pause
from penstock.runtime.engine.exit import Exit
from penstock.runtime.engine.lifecycle import call_of, perform
from penstock.runtime.engine.on_loop import park
from penstock.runtime.engine.step import Step
from penstock.runtime.engine.step_pauses import StepPauses
from penstock.runtime.engine.unawaited import Unawaited, waiting
from penstock.runtime.engine.waiting.running import RunningSteps


class Performer:
    """Performs the plans of the steps of one attempt."""

    def __init__(
        self,
        attempt: Attempt,
        threads: ThreadPool,
        running_steps: RunningSteps,
        pauses: StepPauses,
        exit: Exit | None,
    ) -> None:
        self._attempt = attempt
        self._threads = threads
        self._running_steps = running_steps
        self._pauses = pauses
        self._exit = exit

    def perform(self, step: Step) -> Any:
        """Perform a step in this thread."""
        return follow(perform(step), partial(self.effect, step))

    def effect(self, step: Step, effect: Effect) -> Any:
        """Do what a plan asks for, in this thread."""
        if effect is BODY:
            return waiting(step, step.context.run(call, step), acall)
        match effect:
            case Do.CHILDREN:
                return self._running_steps.join()
            case Pause():
                return self._pauses.wait(step, effect)
            case Park(away):
                raise away
            case Do.FIND | Keep():
                return _ask_cache(step, effect)
            case _:
                return _ask_journal(step, effect)

    def aeffect(self, step: Step, effect: Effect) -> Awaitable[Any]:
        """Do what a plan asks for, on the loop."""
        if effect is BODY:
            if step.timeout is not None:
                return timed(step, self._abody)
            is_plain = step.is_async and step.parent is not None
            return acall(step) if is_plain else self._abody(step)
        match effect:
            case Do.STORE:
                return self._attempt.journal.aflush()
            case Do.CHILDREN:
                return self._running_steps.ajoin() if self._exit is None else self._exit.children()
            case Pause():
                return self._pauses.await_(step, effect)
            case Park():
                return self._root(park(step, effect), step)
            case _:
                return asyncio.to_thread(self.effect, step, effect)

    def _abody(self, step: Step) -> Awaitable[Any]:
        if not step.is_async:
            return self._acall_in_thread(step)
        return self._root(acall(step), step)

    async def _acall_in_thread(self, step: Step) -> Any:
        loop, pool = asyncio.get_running_loop(), self._threads.executor
        value = await loop.run_in_executor(pool, lambda: step.context.run(call, step))
        if not isinstance(value, Unawaited):
            return value
        return await self._root(acall(step, value), step)

    def _root(self, work: Awaitable[Any], step: Step) -> Awaitable[Any]:
        """Let the run leave its process during what a body does on the loop."""
        return work if step.parent is not None or self._exit is None else self._exit.root(work)


def _ask_journal(step: Step, effect: Effect) -> Any:
    journal = step.attempt.journal
    if effect is Do.SEND:
        return journal.send(call_of(step))
    return journal.flush() if effect is Do.STORE else journal.unfinished()


def _ask_cache(step: Step, effect: Effect) -> Any:
    if step.cached is None:
        return None
    return step.cached.keep(effect.value) if isinstance(effect, Keep) else step.cached.find()
