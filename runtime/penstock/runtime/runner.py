"""Runs the steps of one attempt: sync ones in threads, async ones on the loop."""

from __future__ import annotations

__all__ = ["Runner"]

import asyncio
import threading
from asyncio import events
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from penstock.runtime.account import Account
from penstock.runtime.attempt import Attempt
from penstock.runtime.body import acall, call, timed
from penstock.runtime.checkpoint import give_up_step, replay_step
from penstock.runtime.errors import ConfigurationError, Drained, Stop, Suspend
from penstock.runtime.exit import Exit
from penstock.runtime.future import LoopFuture, Sight, StepFuture, StepTask, relay, retrieve
from penstock.runtime.idle import IdleWatch
from penstock.runtime.job import LoopSeat, ThreadJob
from penstock.runtime.limiter import Limiter
from penstock.runtime.lineage import Branch
from penstock.runtime.on_loop import aperform, park
from penstock.runtime.order import Order
from penstock.runtime.orders import Orders
from penstock.runtime.perform import Do, Effect, Keep, Park, Pause, Step, call_of, perform
from penstock.runtime.plan import follow
from penstock.runtime.recall import (
    cancelled,
    recalled,
    stamped,
    stamped_elsewhere,
    was_cancelled,
)
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
        self.held_steps: set[str] = set()
        """Steps that wait for the end of a replay before they begin."""
        self.parked_steps: set[str] = set()
        """Steps on the loop that wait outside of their bodies: for a try, or another queue."""
        self.watch: IdleWatch | None = None
        self.exit: Exit | None = None
        if loop is not None:
            self.watch = IdleWatch(self, loop)
            self.exit = Exit(attempt, self.account, self.watch)
            self.account.on_end = self.watch.changed
        self.orders = Orders(attempt, self.watch)
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
        order = (branch.scope.order or self.orders.of(branch.scope)) if on_loop else None
        if attempt.journal.has_past:
            self.orders.asked(branch.scope, step_id)
            if was_cancelled(branch.scope, step_id):
                return cancelled(sight, self.loop, order)
        outcome = attempt.replay.recall(branch, step_id, task.name, digest, task.on_change)
        is_remote = bool(task.queue) and attempt.journal.sends(task.queue)
        if outcome is not None:
            replay_step(attempt, step_id, args, kwargs)
            if outcome.error is not None:
                attempt.failures.add(step_id, outcome.error, sight)
            place = None
            if order is not None and is_remote and not outcome.at:
                place = stamped_elsewhere(attempt, order, step_id)
            elif order is not None:
                place = stamped(order, outcome)
            return recalled(sight, outcome, self.loop if on_loop else None, place)
        step = Step(self, branch.scope, step_id, task, args, kwargs, digest, text)
        step.sight = sight
        self._prepare(step, task, order, is_remote=is_remote)
        return self._start(step, sight, on_loop)

    def _prepare(
        self, step: Step, task: Task[..., Any], order: Order | None, *, is_remote: bool
    ) -> None:
        """Give a new step its place in the order, and who performs it or has its value."""
        if self.loop is None and (step.is_async or step.timeout is not None):
            what = "is async" if step.is_async else "has a timeout"
            raise RuntimeError(
                f"task {step.name!r} {what} and the run is not async: "
                "use ainvoke or astream, or enqueue the run to a worker."
            )
        if order is not None:
            self.orders.enter(order, step, "task")
        if is_remote:
            _check_remote(step, task.queue)
            step.queue = task.queue
        else:
            step.cached = task.cached_call(
                step.assignment.cache, self.attempt.shared_codec, step.args, step.kwargs
            )

    def _start(self, step: Step, sight: Sight, on_loop: bool) -> StepFuture[Any]:
        if step.is_async or step.timeout is not None:
            return self._launch(step, sight) if on_loop else self._launch_from_thread(step, sight)
        if on_loop and (step.queue or step.policies):  # it may wait for long, which a thread cannot
            return self._launch(step, sight)
        job = ThreadJob(self, step, sight)
        self.account.began(step.id)
        if not on_loop:
            self.limiter.enter(job)
            return job.future
        assert self.loop is not None
        future: LoopFuture[Any] = LoopFuture(
            sight, self.loop, place=step.place, on_cancel=partial(self._forget, step)
        )
        future.add_done_callback(retrieve)
        future.follow(job.future)
        if step.gate is None:
            self.limiter.enter(job)
        else:
            self.held_steps.add(step.id)
            step.gate.add_done_callback(partial(self._let_begin, job))
        return cast("StepFuture[Any]", future)

    def _let_begin(self, job: ThreadJob, gate: asyncio.Future[None]) -> None:
        self.held_steps.discard(job.step.id)
        if (error := gate.exception()) is not None:
            job.refuse(error)
        else:
            self.limiter.enter(job)

    def _forget(self, step: Step) -> None:
        """Wait no more for a step whose caller has cancelled it."""
        self.attempt.waits.withdraw_below(step.id)
        give_up_step(step)

    def _launch(self, step: Step, sight: Sight) -> StepFuture[Any]:
        assert self.loop is not None
        body = self._seated(LoopSeat(step, self.loop)) if self._limited else aperform(step)
        name = self.attempt.assignment.run_id
        context = step.context if step.is_async else step.context.copy()
        task: StepTask[Any] = StepTask(
            body, sight=sight, loop=self.loop, name=name, context=context
        )
        step.task = task
        self.account.began(step.id, task)
        return cast("StepFuture[Any]", task)

    def _launch_from_thread(self, step: Step, sight: Sight) -> StepFuture[Any]:
        return self.from_thread(
            step, sight, lambda: cast("StepTask[Any]", self._launch(step, sight))
        )

    def from_thread(
        self, step: Step, sight: Sight, launch: Callable[[], asyncio.Task[Any]]
    ) -> StepFuture[Any]:
        """Launch an asyncio task for code in a thread; returns what the thread waits for.

        The thread leaves the process if the task has nothing to do but wait for what comes in a
        later attempt; but for one whose caller on the loop waits as well.
        """
        watch, loop = self.watch, self.loop
        assert watch is not None and loop is not None
        future: StepFuture[Any] = StepFuture(sight)
        self.account.began(step.id)

        def stay() -> None:
            if step.place is None and not future.done():
                future.set_exception(Suspend(f"step {step.id!r} waits for what has not come yet"))

        def arrive(done: asyncio.Future[Any]) -> None:
            watch.left_behind.pop(step.id, None)
            relay(done, future)

        def begin() -> None:
            task = launch()
            watch.left_behind[step.id] = stay
            task.add_done_callback(arrive)
            self.account.ended(step.id)

        loop.call_soon_threadsafe(begin)
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

    async def _seated(self, seat: LoopSeat) -> Any:
        self.limiter.enter(seat)
        try:
            await seat.free.wait()
            return await aperform(seat.step)
        finally:
            self.limiter.leave(seat)

    def effect(self, step: Step, effect: Effect) -> Any:
        """Do what a plan asks for, in this thread."""
        match effect:
            case Do.BODY:
                return waiting(step, step.context.run(call, step), acall)
            case Do.CHILDREN:
                return self.account.join()
            case Pause(seconds):
                self._stop.wait(seconds)
                return self.attempt.check()
            case Park(away):
                raise away
            case Do.FIND | Keep():
                return _ask_cache(step, effect)
            case _:
                return _ask_journal(step, effect)

    def aeffect(self, step: Step, effect: Effect) -> Awaitable[Any]:
        """Do what a plan asks for, on the loop."""
        match effect:
            case Do.BODY:
                return self._abody(step) if step.timeout is None else timed(step, self._abody)
            case Do.STORE:
                return self.attempt.journal.aflush()
            case Do.CHILDREN:
                return self.account.ajoin() if self.exit is None else self.exit.children()
            case Pause(seconds):
                return self._asleep(seconds)
            case Park():
                return self._root(park(step, effect), step)
            case _:
                return asyncio.to_thread(self.effect, step, effect)

    def _abody(self, step: Step) -> Awaitable[Any]:
        if not step.is_async:
            return self._acall_in_thread(step)
        return self._root(acall(step), step)

    async def _acall_in_thread(self, step: Step) -> Any:
        loop, pool = asyncio.get_running_loop(), self.threads.executor
        value = await loop.run_in_executor(pool, lambda: step.context.run(call, step))
        if not isinstance(value, Unawaited):
            return value
        return await self._root(acall(step, value), step)

    def _root(self, work: Awaitable[Any], step: Step) -> Awaitable[Any]:
        """Let the run leave its process during what a body does on the loop."""
        return work if step.parent is not None or self.exit is None else self.exit.root(work)

    async def _asleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.attempt.check()

    def stop(self, stop: Stop) -> None:
        """End the attempt: at its next step, or where it sleeps between tries."""
        self.attempt.stopping = stop
        self._stop.set()
        if self.watch is not None:
            self.watch.changed()

    def close(self) -> None:
        """Heed the run's control no more."""
        self.attempt.control.forget(self._drain)

    def _drain(self, reason: str) -> None:
        if self.attempt.stopping is None:
            self.stop(Drained(reason))


def _ask_journal(step: Step, effect: Effect) -> Any:
    journal = step.attempt.journal
    if effect is Do.SEND:
        return journal.send(call_of(step))
    return journal.flush() if effect is Do.STORE else journal.unfinished()


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
