"""Runs the steps of one attempt: sync ones in threads, async ones on the loop."""

from __future__ import annotations

__all__ = ["Runner"]

import asyncio
from asyncio import events
from collections.abc import Callable
from functools import partial
from typing import Any, Final, cast

from penstock.runtime.concurrency.limiter import Limiter
from penstock.runtime.concurrency.thread_pool import ThreadPool
from penstock.runtime.engine.attempt.attempt import Attempt
from penstock.runtime.engine.exit import Exit
from penstock.runtime.engine.function.step_function import StepFunction
from penstock.runtime.engine.idle import IdleWatch
from penstock.runtime.engine.on_loop import aperform
from penstock.runtime.engine.orders import Orders
from penstock.runtime.engine.performer import Performer
from penstock.runtime.engine.recall import cancel_mark, cancelled, recalled, stamped
from penstock.runtime.engine.recording import give_up_step, replay_step
from penstock.runtime.engine.slots import LoopJob, ThreadJob
from penstock.runtime.engine.step import Branch, Step
from penstock.runtime.engine.step_pauses import StepPauses
from penstock.runtime.engine.unawaited import reject_unawaited_arguments
from penstock.runtime.engine.waiting.future import (
    LoopFuture,
    OutcomeUse,
    StepFuture,
    StepTask,
    relay,
    retrieve,
)
from penstock.runtime.engine.waiting.order import Order
from penstock.runtime.engine.waiting.running import RunningSteps
from penstock.runtime.errors import ConfigurationError, Stop, Suspend

THREADS: Final = 32
"""Sync bodies of one attempt that run at once, unless `max_concurrency` says otherwise."""


class Runner:
    """Starts the steps of one attempt, and ends it."""

    def __init__(
        self,
        attempt: Attempt,
        threads: ThreadPool,
        loop: asyncio.AbstractEventLoop | None = None,
        limit: int | None = None,
    ) -> None:
        self.attempt = attempt
        self.threads = threads
        self.loop = loop
        self.limiter = Limiter(limit or THREADS)
        self.running_steps = RunningSteps()
        self.watch: IdleWatch | None = None
        self.exit: Exit | None = None
        if loop is not None:
            self.watch = IdleWatch(attempt, self.running_steps, loop)
            self.exit = Exit(attempt, self.running_steps, self.watch)
            self.running_steps.on_end = self.watch.changed
        self.orders = Orders(attempt, self.watch)
        if self.watch is not None:
            self.watch.orders = self.orders
        self._limited = limit is not None
        self._pauses = StepPauses(attempt, loop)
        performer = Performer(attempt, threads, self.running_steps, self._pauses, self.exit)
        self.perform = performer.perform
        self.effect = performer.effect
        self.aeffect = performer.aeffect
        attempt.control.watch(self._drain)

    @property
    def is_on_loop(self) -> bool:
        """Whether the calling code runs on the attempt's loop."""
        return self.loop is not None and events._get_running_loop() is self.loop

    def call(
        self,
        branch: Branch,
        task: StepFunction,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        key: str | None = None,
    ) -> StepFuture[Any]:
        """Start a step, or give back what it is recorded to have done."""
        attempt = self.attempt
        scope, stores = branch.scope, attempt.journal.stores
        scope.go_on()
        digest, text = attempt.replay.digest(args, kwargs) if stores else ("", None)
        label = task.label
        if task.old_labels and attempt.journal.has_past:
            label = attempt.replay.old_names.label(branch, task, digest, key)
        step_id = branch.identify(label, digest, key)
        reject_unawaited_arguments(step_id, args, kwargs, deeper=not digest)
        on_loop = self.is_on_loop
        if on_loop and not scope.step.is_async:
            raise RuntimeError(
                f"entrypoint {scope.step.name!r} was called by invoke, which blocks the "
                f"event loop, so it cannot wait for task {task.name!r}: use await ainvoke(...)."
            )
        use = OutcomeUse(scope, step_id)
        order = (scope.order or self.orders.of(scope)) if on_loop and stores else None
        if stores and attempt.replay.may_know(step_id):
            known = self._known(branch, task, args, kwargs, digest, use, order)
            if known is not None:
                return known
        step = Step(self, scope, step_id, task, args, kwargs, digest, text)
        step.use = use
        self._prepare(step, task, order)
        return self._start(step, use, on_loop)

    def _known(
        self,
        branch: Branch,
        task: StepFunction,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        digest: str,
        use: OutcomeUse,
        order: Order | None,
    ) -> StepFuture[Any] | None:
        """Return the future of a step that is on the record, None for a new one."""
        attempt, scope, step_id = self.attempt, branch.scope, use.step_id
        if attempt.journal.has_past:
            scope.asked(step_id)
            mark = cancel_mark(scope, step_id)
            if mark is not None:
                return cancelled(use, self.loop, order, mark)
        outcome = attempt.replay.recall(branch, step_id, task.name, digest, task.on_change)
        if outcome is None:
            return None
        replay_step(attempt, step_id, args, kwargs)
        if outcome.error is not None:
            attempt.failures.add(step_id, outcome.error, use)
        if order is None:
            return recalled(use, outcome, None, None)
        place = stamped(attempt, order, step_id, outcome, is_remote=self._is_remote(task))
        return recalled(use, outcome, self.loop, place)

    def _is_remote(self, task: StepFunction) -> bool:
        return bool(task.queue) and self.attempt.journal.sends(task.queue)

    def _prepare(self, step: Step, task: StepFunction, order: Order | None) -> None:
        """Give a new step its place in the order, and who performs it or has its value."""
        if self.loop is None and (step.is_async or step.timeout is not None):
            what = "is async" if step.is_async else "has a timeout"
            raise RuntimeError(
                f"task {step.name!r} {what} and the run is not async: "
                "use ainvoke or astream, or enqueue the run to a worker."
            )
        if order is not None:
            self.orders.enter(order, step, "task")
        if task.queue and self._is_remote(task):
            _check_remote(step, task.queue)
            step.queue = task.queue
        elif task.cache_policy is not None:
            step.cached = task.cached_call(
                step.assignment.cache, self.attempt.shared_codec, step.args, step.kwargs
            )

    def _start(self, step: Step, use: OutcomeUse, on_loop: bool) -> StepFuture[Any]:
        if step.is_async or step.timeout is not None:
            return self._launch(step, use) if on_loop else self._launch_from_thread(step, use)
        if on_loop and (step.queue or step.policies):  # it may wait for long, which a thread cannot
            return self._launch(step, use)
        job = ThreadJob(self, step, use)
        self.running_steps.began(step.id)
        if not on_loop:
            self.limiter.enter(job)
            return job.future
        assert self.loop is not None
        future: LoopFuture[Any] = LoopFuture(
            use, self.loop, place=step.place, on_cancel=partial(self._forget, step)
        )
        future.add_done_callback(retrieve)
        future.follow(job.future)
        if step.gate is None:
            self.limiter.enter(job)
        else:
            self.running_steps.held.add(step.id)
            step.gate.add_done_callback(partial(self._let_begin, job))
        return cast("StepFuture[Any]", future)

    def _let_begin(self, job: ThreadJob, gate: asyncio.Future[None]) -> None:
        self.running_steps.held.discard(job.step.id)
        if (error := gate.exception()) is not None:
            job.refuse(error)
        else:
            self.limiter.enter(job)

    def _forget(self, step: Step) -> None:
        """Wait no more for a step whose caller has cancelled it."""
        self.attempt.waits.withdraw_below(step.id)
        give_up_step(step)
        # Its thread cannot be stopped, but what that waits for.
        self._pauses.give_up(step)
        self.running_steps.cancel_below(step.id)

    def _launch(self, step: Step, use: OutcomeUse) -> StepFuture[Any]:
        assert self.loop is not None
        body = self._in_slot(LoopJob(step, self.loop)) if self._limited else aperform(step)
        step.task = task = StepTask[Any](
            body,
            use=use,
            loop=self.loop,
            context=step.context if step.is_async else step.context.copy(),
            name=self.attempt.assignment.run_id,
            place=step.place,
            on_cancel=self.running_steps.task_ended,
        )
        self.running_steps.task_began(step.id, task)
        return cast("StepFuture[Any]", task)

    def _launch_from_thread(self, step: Step, use: OutcomeUse) -> StepFuture[Any]:
        return self.from_thread(step, use, lambda: cast("StepTask[Any]", self._launch(step, use)))

    def from_thread(
        self, step: Step, use: OutcomeUse, launch: Callable[[], asyncio.Task[Any]]
    ) -> StepFuture[Any]:
        """Launch an asyncio task for code in a thread; returns what the thread waits for.

        The thread leaves the process if the task has nothing to do but wait for what comes in a
        later attempt; but for one whose caller on the loop waits as well.
        """
        watch, loop = self.watch, self.loop
        assert watch is not None and loop is not None
        future: StepFuture[Any] = StepFuture(use)
        self.running_steps.began(step.id)

        def stay() -> None:
            if step.place is None and not future.done():
                future.set_exception(Suspend(f"step {step.id!r} waits for what has not come yet"))

        def arrive(done: asyncio.Future[Any]) -> None:
            watch.left_behind.pop(step.id, None)
            if done.cancelled() and self._pauses.is_given_up(step):
                future.set_exception(Suspend(f"nobody waits for step {step.id!r} any more"))
            else:
                relay(done, future)

        def begin() -> None:
            task = launch()
            watch.left_behind[step.id] = stay
            task.add_done_callback(arrive)
            self.running_steps.ended(step.id)

        loop.call_soon_threadsafe(begin)
        return future

    def watched(self, step: Step) -> Any:
        """Perform a step that has a timeout, which the loop watches, and wait for it here."""
        if self.loop is None or events._get_running_loop() is self.loop:
            raise RuntimeError(
                f"entrypoint {step.name!r} has a timeout: use await ainvoke, or in sync code "
                "a run by ainvoke, astream or a worker."
            )
        assert step.use is not None
        return self._launch_from_thread(step, step.use).result()

    async def _in_slot(self, job: LoopJob) -> Any:
        self.limiter.enter(job)
        try:
            await job.free.wait()
            return await aperform(job.step)
        finally:
            self.limiter.leave(job)

    def stop(self, stop: Stop) -> None:
        """End the attempt: at its next step, or where it sleeps between tries."""
        self.attempt.stopping = stop
        self._pauses.look_again()
        if self.watch is not None:
            self.watch.changed()

    def close(self) -> None:
        """Heed the run's control no more, and let threads that pause go: the attempt is over."""
        self.attempt.control.forget(self._drain)
        self._pauses.close()

    def _drain(self, _: str) -> None:
        """Leave the process once the steps at work have ended: nothing new begins from now on."""
        self._pauses.look_again()
        if self.watch is not None:
            self.watch.look_now()


def _check_remote(step: Step, queue: str) -> None:
    """Refuse what could not come back from another queue."""
    if not step.is_recorded:
        raise ConfigurationError(
            f"step {step.id!r} belongs to queue {queue!r}, and was called in an entrypoint with "
            "checkpointer=False: its outcome would have nowhere to go. Call it in the entrypoint "
            "outside, or let the inner one record (checkpointer=None)."
        )
