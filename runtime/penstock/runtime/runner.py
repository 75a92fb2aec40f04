"""Runs the steps of one attempt: sync ones in threads, async ones on the loop."""

from __future__ import annotations

__all__ = ["Runner"]

import asyncio
import threading
from asyncio import events
from collections.abc import Awaitable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from penstock.runtime.account import Account
from penstock.runtime.attempt import Attempt
from penstock.runtime.body import acall, call, timed
from penstock.runtime.checkpoint import replay_step
from penstock.runtime.errors import ConfigurationError, Drained, Stop
from penstock.runtime.future import LoopFuture, Sight, StepFuture, StepTask, relay, retrieve, settle
from penstock.runtime.job import LoopSeat, ThreadJob
from penstock.runtime.limiter import Limiter
from penstock.runtime.lineage import Branch
from penstock.runtime.outcome import Outcome
from penstock.runtime.perform import Do, Effect, Keep, Step, Wait, call_of, perform
from penstock.runtime.plan import afollow, follow
from penstock.runtime.threads import Threads
from penstock.runtime.unawaited import Unawaited, reject_unawaited_arguments, waiting

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
        attempt.control.watch(self._drain)

    @property
    def is_on_loop(self) -> bool:
        """Whether the calling code runs on the attempt's loop."""
        return self.loop is not None and events._get_running_loop() is self.loop

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
        attempt.check(branch.scope)
        branch.scope.advance()
        digest, text = attempt.replay.digest(args, kwargs)
        step_id = branch.identify(task.label, digest, key)
        reject_unawaited_arguments(step_id, args, kwargs, deeper=not digest)
        on_loop = self.is_on_loop
        if on_loop and not branch.scope.step.is_async:
            raise RuntimeError(
                f"entrypoint {branch.scope.step.name!r} was called by invoke, which blocks the "
                f"event loop, so it cannot wait for task {task.name!r}: use await ainvoke(...)."
            )
        sight = Sight(branch.scope, step_id)
        outcome = attempt.replay.recall(branch, step_id, task.name, digest, task.on_change)
        if outcome is not None:
            replay_step(attempt, step_id, args, kwargs)
            if outcome.error is not None:
                attempt.failures.add(step_id, outcome.error, sight)
            return self._settled(outcome, sight, on_loop)
        if self.loop is None and (task.is_async or task.timeout is not None):
            what = "is async" if task.is_async else "has a timeout"
            raise RuntimeError(
                f"task {task.name!r} {what} and the run is not async: "
                "use ainvoke or astream, or enqueue the run to a worker."
            )
        step = Step(self, branch.scope, step_id, task, args, kwargs, digest, text)
        step.sight = sight
        if task.queue and attempt.journal.sends(task.queue):
            _check_remote(step, task.queue)
            step.queue = task.queue
        else:
            cache = step.assignment.cache
            step.cached = task.cached_call(cache, attempt.shared_codec, args, kwargs)
        return self._start(step, sight, on_loop)

    def _settled(self, outcome: Outcome, sight: Sight, on_loop: bool) -> StepFuture[Any]:
        if on_loop and self.loop is not None:
            awaitable: LoopFuture[Any] = LoopFuture(sight, self.loop)
            awaitable.add_done_callback(retrieve)
            settle(awaitable, outcome)
            return cast("StepFuture[Any]", awaitable)
        future: StepFuture[Any] = StepFuture(sight)
        settle(future, outcome)
        return future

    def _start(self, step: Step, sight: Sight, on_loop: bool) -> StepFuture[Any]:
        if step.is_async or step.timeout is not None:
            return self._launch(step, sight) if on_loop else self._launch_from_thread(step, sight)
        job = ThreadJob(self, step, sight)
        self.account.began()
        self.limiter.enter(job)
        if not on_loop:
            return job.future
        assert self.loop is not None
        future = LoopFuture(sight, self.loop, job.future)
        future.add_done_callback(retrieve)
        return cast("StepFuture[Any]", future)

    def _launch(self, step: Step, sight: Sight) -> StepFuture[Any]:
        assert self.loop is not None
        body = self._seated(LoopSeat(step, self.loop)) if self._limited else self._aperform(step)
        name = self.attempt.assignment.run_id
        context = step.context if step.is_async else step.context.copy()
        task: StepTask[Any] = StepTask(body, loop=self.loop, name=name, context=context)
        task.sight = sight
        self.account.began(task)
        return cast("StepFuture[Any]", task)

    def _launch_from_thread(self, step: Step, sight: Sight) -> StepFuture[Any]:
        assert self.loop is not None
        future: StepFuture[Any] = StepFuture(sight)
        self.account.began()

        def launch() -> None:
            task = cast("StepTask[Any]", self._launch(step, sight))
            task.add_done_callback(lambda done: relay(done, future))
            self.account.ended()

        self.loop.call_soon_threadsafe(launch)
        return future

    def watched(self, step: Step) -> Any:
        """Perform a step that has a timeout, which the loop watches, and wait for it here."""
        if self.loop is None or events._get_running_loop() is self.loop:
            raise RuntimeError(
                f"entrypoint {step.name!r} has a timeout: use await ainvoke, or in sync code "
                "a run by ainvoke, astream or a worker."
            )
        assert step.sight is not None
        return self._launch_from_thread(step, step.sight).result()

    def perform(self, step: Step) -> Any:
        """Perform a step in this thread."""
        return follow(perform(step), partial(self.effect, step))

    def _aperform(self, step: Step) -> Coroutine[Any, Any, Any]:
        return afollow(perform(step), partial(self.aeffect, step))

    async def _seated(self, seat: LoopSeat) -> Any:
        self.limiter.enter(seat)
        try:
            await seat.free.wait()
            return await self._aperform(seat.step)
        finally:
            self.limiter.leave(seat)

    def effect(self, step: Step, effect: Effect) -> Any:
        """Do what a plan asks for, in this thread."""
        match effect:
            case Do.BODY:
                return waiting(step, step.context.run(call, step), acall)
            case Do.STORE:
                return self.attempt.journal.flush()
            case Do.SEND:
                return self.attempt.journal.send(call_of(step))
            case Do.CHILDREN:
                return self.account.join()
            case Do.UNFINISHED:
                return self.attempt.journal.unfinished()
            case Wait(seconds):
                self._stop.wait(seconds)
                return self.attempt.check()
            case Do.FIND | Keep():
                return _ask_cache(step, effect)

    def aeffect(self, step: Step, effect: Effect) -> Awaitable[Any]:
        """Do what a plan asks for, on the loop."""
        match effect:
            case Do.BODY:
                return self._abody(step) if step.timeout is None else timed(step, self._abody)
            case Do.STORE:
                return self.attempt.journal.aflush()
            case Do.CHILDREN:
                return self.account.ajoin()
            case Wait(seconds):
                return self._asleep(seconds)
            case _:
                return asyncio.to_thread(self.effect, step, effect)

    def _abody(self, step: Step) -> Awaitable[Any]:
        if step.is_async:
            return acall(step)
        return self._acall_in_thread(step)

    async def _acall_in_thread(self, step: Step) -> Any:
        loop, pool = asyncio.get_running_loop(), self.threads.executor
        value = await loop.run_in_executor(pool, lambda: step.context.run(call, step))
        return await acall(step, value) if isinstance(value, Unawaited) else value

    async def _asleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.attempt.check()

    def stop(self, stop: Stop) -> None:
        """End the attempt: at its next step, or where it sleeps between tries."""
        self.attempt.stopping = stop
        self._stop.set()

    def close(self) -> None:
        """Heed the run's control no more."""
        self.attempt.control.forget(self._drain)

    def _drain(self, reason: str) -> None:
        if self.attempt.stopping is None:
            self.stop(Drained(reason))


def _ask_cache(step: Step, effect: Effect) -> Any:
    if step.cached is None:
        return None
    return step.cached.keep(effect.value) if isinstance(effect, Keep) else step.cached.find()


def _check_remote(step: Step, queue: str) -> None:
    """Refuse what could not come back from another queue."""
    if not step.is_recorded:
        raise ConfigurationError(
            f"step {step.id!r} belongs to queue {queue!r}, and was called in an entrypoint with "
            "checkpointer=False: its outcome would have nowhere to go. Call it in the entrypoint "
            "outside, or let the inner one record (checkpointer=None)."
        )
