"""Runs the steps of one attempt: sync ones in threads, async ones on the loop."""

from __future__ import annotations

__all__ = ["Runner"]

import asyncio
import threading
from asyncio import events
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final, cast

from penstock.runtime.account import Account
from penstock.runtime.attempt import Attempt
from penstock.runtime.body import acall, call
from penstock.runtime.errors import Stop
from penstock.runtime.future import LoopFuture, Sight, StepFuture, StepTask, relay, settle
from penstock.runtime.job import LoopSeat, ThreadJob
from penstock.runtime.limiter import Limiter
from penstock.runtime.lineage import Branch
from penstock.runtime.outcome import Outcome
from penstock.runtime.perform import Do, Effect, Step, adrive, drive, perform
from penstock.runtime.scope import Scope
from penstock.runtime.threads import Threads

if TYPE_CHECKING:
    from penstock.runtime.task import Task

THREADS: Final = 32
"""Sync bodies of one attempt that run at once, unless `max_concurrency` says otherwise."""


class Runner:
    """Starts the steps of one attempt, and does what their plans ask for."""

    def __init__(
        self,
        attempt: Attempt,
        threads: Threads,
        loop: asyncio.AbstractEventLoop | None = None,
        limit: int | None = None,
    ) -> None:
        self.attempt = attempt
        self.threads = threads
        self.loop = loop
        self.limiter = Limiter(limit or THREADS)
        self.account = Account()
        self._limited = limit is not None
        self._stop = threading.Event()

    def call(
        self,
        branch: Branch,
        task: Task[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        key: str | None = None,
    ) -> StepFuture[Any]:
        """Start a step, or give back what it is recorded to have done."""
        attempt = self.attempt
        attempt.check()
        branch.scope.progress += 1
        digest, text = attempt.digest(args, kwargs)
        step_id = branch.identify(task.label, digest, key)
        on_loop = self.loop is not None and events._get_running_loop() is self.loop
        sight = Sight(branch.scope)
        outcome = attempt.recall(branch, step_id, task.name, digest, task.on_change)
        if outcome is not None:
            if outcome.error is not None:
                attempt.failed_before(step_id, outcome.error, sight)
            return self._settled(outcome, sight, on_loop)
        if task.is_async and self.loop is None:
            raise RuntimeError(
                f"task {task.name!r} is async and the run is not: "
                "use ainvoke or astream, or enqueue the run to a worker."
            )
        step = self.step(branch.scope, step_id, task, args, kwargs, digest)
        step.sight = sight
        attempt.start_step(step, text)
        return self._start(step, sight, on_loop)

    def step(
        self,
        parent: Scope | None,
        step_id: str,
        task: Task[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        digest: str = "",
    ) -> Step:
        """Make the step of a call, in a copy of the caller's context."""
        return Step(
            self,
            parent,
            step_id,
            task.name,
            task.function,
            args=args,
            kwargs=kwargs,
            is_async=task.is_async,
            policies=task.policies,
            injects=task.injects,
            digest=digest,
            context=copy_context(),
        )

    def _settled(self, outcome: Outcome, sight: Sight, on_loop: bool) -> StepFuture[Any]:
        if on_loop and self.loop is not None:
            awaitable = LoopFuture[Any](sight, self.loop)
            awaitable.add_done_callback(_retrieve)
            settle(awaitable, outcome)
            return cast("StepFuture[Any]", awaitable)
        future = StepFuture[Any](sight)
        settle(future, outcome)
        return future

    def _start(self, step: Step, sight: Sight, on_loop: bool) -> StepFuture[Any]:
        if step.is_async:
            return self._launch(step, sight) if on_loop else self._launch_from_thread(step, sight)
        job = ThreadJob(self, step, sight)
        self.account.began()
        self.limiter.enter(job)
        if not on_loop:
            return job.future
        assert self.loop is not None
        future = LoopFuture(sight, self.loop, job.future)
        future.add_done_callback(_retrieve)
        return cast("StepFuture[Any]", future)

    def _launch(self, step: Step, sight: Sight) -> StepFuture[Any]:
        assert self.loop is not None
        body = self._aperform(step, LoopSeat(step, self.loop) if self._limited else None)
        name = self.attempt.assignment.run_id
        task = StepTask[Any](body, loop=self.loop, name=name, context=step.context)
        task.sight = sight
        task.add_done_callback(_retrieve)
        self.account.began(task)
        return cast("StepFuture[Any]", task)

    def _launch_from_thread(self, step: Step, sight: Sight) -> StepFuture[Any]:
        assert self.loop is not None
        future = StepFuture[Any](sight)
        self.account.began()

        def launch() -> None:
            task = cast("StepTask[Any]", self._launch(step, sight))
            task.add_done_callback(lambda done: relay(done, future))
            self.account.ended()

        self.loop.call_soon_threadsafe(launch)
        return future

    def perform(self, step: Step) -> Any:
        """Perform a step in this thread."""
        return drive(perform(step), lambda effect: self.effect(step, effect))

    async def _aperform(self, step: Step, seat: LoopSeat | None) -> Any:
        if seat is None:
            return await adrive(perform(step), lambda effect: self.aeffect(step, effect))
        self.limiter.enter(seat)
        try:
            await seat.free.wait()
            return await adrive(perform(step), lambda effect: self.aeffect(step, effect))
        finally:
            self.limiter.leave(seat)

    def effect(self, step: Step, effect: Effect) -> Any:
        """Do what a plan asks for, in this thread."""
        if effect is Do.BODY:
            return step.context.run(call, step)
        if effect is Do.STORE:
            return self.attempt.journal.flush()
        if effect is Do.CHILDREN:
            return self.account.join()
        assert not isinstance(effect, Do)
        self._stop.wait(effect.seconds)
        return self.attempt.check()

    async def aeffect(self, step: Step, effect: Effect) -> Any:
        """Do what a plan asks for, on the loop."""
        if effect is Do.BODY:
            if step.is_async:
                return await acall(step)
            pool = self.threads.executor
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(pool, lambda: step.context.run(call, step))
        if effect is Do.STORE:
            return await self.attempt.journal.aflush()
        if effect is Do.CHILDREN:
            return await self.account.ajoin()
        assert not isinstance(effect, Do)
        await asyncio.sleep(effect.seconds)
        return self.attempt.check()

    def stop(self, stop: Stop) -> None:
        """End the attempt: at its next step, or where it sleeps between tries."""
        self.attempt.stopping = stop
        self._stop.set()


def _retrieve(future: asyncio.Future[Any]) -> None:
    """Look at a future's error, so that asyncio does not report it: the engine does."""
    if not future.cancelled():
        asyncio.Future.exception(future)
