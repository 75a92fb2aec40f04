"""How an attempt comes out of its code on the loop: to leave its process, or at its end."""

from __future__ import annotations

__all__ = ["Exit"]

import asyncio
from collections.abc import Awaitable
from typing import Any

from penstock.runtime.engine.attempt.attempt import Attempt
from penstock.runtime.engine.idle import IdleWatch
from penstock.runtime.engine.waiting.future import retrieve
from penstock.runtime.engine.waiting.parking import Parked
from penstock.runtime.engine.waiting.running import RunningSteps
from penstock.runtime.errors import Suspend


class Exit:
    """Cancels what waits in an attempt's code, once it is clear that nothing comes any more."""

    def __init__(self, attempt: Attempt, running_steps: RunningSteps, watch: IdleWatch) -> None:
        self._attempt = attempt
        self._running_steps = running_steps
        self._watch = watch
        self._cancelled_before = 0
        watch.leave = self.leave

    async def root(self, work: Awaitable[Any]) -> Any:
        """Do what a body does on the loop, so that its run can leave the process meanwhile.

        Raises:
            Suspend: it has left.
        """
        task = self._watch.root = asyncio.current_task()
        try:
            return await work
        except (asyncio.CancelledError, Suspend):
            if not self._attempt.is_leaving or task is None:
                raise
            if task.uncancel() > self._cancelled_before:
                raise asyncio.CancelledError from None  # somebody else has cancelled it, too
            run_id = self._attempt.assignment.run_id
            raise Suspend(f"run {run_id!r} leaves its process") from None
        finally:
            self._watch.root = None

    async def children(self) -> None:
        """Return when no step runs any more, now that the body has ended."""
        self._watch.is_root_over = True
        self._watch.changed()
        await self._running_steps.ajoin()

    def leave(self) -> None:
        """Let the run leave its process: none of its branches can go on; call it on the loop.

        If it was to stop meanwhile, it stops.
        """
        if self._attempt.stopping is None:
            self._attempt.is_leaving = True
            self._attempt.waits.settle()
        root = self._watch.root
        self._running_steps.cancel_tasks()
        self.cancel(every=True, but=root)
        if root is not None:
            self._cancelled_before = root.cancelling()
            root.cancel()

    def cancel(self, *, every: bool = False, but: asyncio.Task[Any] | None = None) -> None:
        """Cancel the asyncio tasks of the run's code that wait for what does not come any more.

        With `every`, also those that wait for each other.
        """
        tasks = {
            coroutine.task
            for coroutine in tuple(self._watch.coroutines)
            if every or isinstance(coroutine.blocked_on, Parked)
        }
        for task in tasks - self._running_steps.tasks - {None, but}:
            assert task is not None
            task.add_done_callback(retrieve)
            task.cancel()
