"""Runs the steps of one attempt: sync ones in threads, async ones on the loop."""

from __future__ import annotations

__all__ = ["Runner"]

import asyncio
import threading
from asyncio import events
from collections.abc import Awaitable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast
from weakref import WeakSet

from penstock.runtime.account import Account
from penstock.runtime.attempt import Attempt
from penstock.runtime.body import acall, call, timed
from penstock.runtime.checkpoint import give_up_step, replay_step
from penstock.runtime.errors import ConfigurationError, Drained, Stop, Suspend
from penstock.runtime.future import LoopFuture, Sight, StepFuture, StepTask, relay, retrieve, settle
from penstock.runtime.idle import IdleWatch
from penstock.runtime.job import LoopSeat, ThreadJob
from penstock.runtime.limiter import Limiter
from penstock.runtime.lineage import Branch
from penstock.runtime.order import FIRST, Order, Stamp
from penstock.runtime.outcome import Outcome
from penstock.runtime.parking import Parkable, Parked
from penstock.runtime.pauses import until
from penstock.runtime.perform import Do, Effect, Keep, Park, Pause, Step, call_of, perform
from penstock.runtime.plan import afollow, follow
from penstock.runtime.threads import Threads
from penstock.runtime.unawaited import Unawaited, reject_unawaited_arguments, waiting

if TYPE_CHECKING:
    from penstock.runtime.scope import Scope
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
        self.orders: WeakSet[Order] = WeakSet()
        self.held_steps: set[str] = set()
        """Steps that wait for the end of a replay before they begin."""
        self.parked_steps: set[str] = set()
        """Steps on the loop that wait outside of their bodies: for a try, or another queue."""
        self.watch = IdleWatch(self, loop) if loop is not None else None
        if self.watch is not None:
            self.account.on_end = self.watch.changed
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
        self.asked(branch.scope, step_id)
        order = self.order_of(branch.scope) if on_loop else None
        if self._was_cancelled(branch.scope, step_id):
            return self._given_up(sight, order)
        outcome = attempt.replay.recall(branch, step_id, task.name, digest, task.on_change)
        is_remote = bool(task.queue) and attempt.journal.sends(task.queue)
        if outcome is not None:
            replay_step(attempt, step_id, args, kwargs)
            if outcome.error is not None:
                attempt.failures.add(step_id, outcome.error, sight)
            if order is None:
                return self._settled(outcome, sight, on_loop)
            return self._recalled(order, step_id, outcome, sight, is_remote)
        if self.loop is None and (task.is_async or task.timeout is not None):
            what = "is async" if task.is_async else "has a timeout"
            raise RuntimeError(
                f"task {task.name!r} {what} and the run is not async: "
                "use ainvoke or astream, or enqueue the run to a worker."
            )
        step = Step(self, branch.scope, step_id, task, args, kwargs, digest, text)
        step.sight = sight
        if order is not None:
            step.ticket = order.begin()
            if step.is_recorded and not attempt.replay.has_entered(step_id):
                step.gate = order.gate(f"task {task.name!r}, step {step_id!r}")
        if is_remote:
            _check_remote(step, task.queue)
            step.queue = task.queue
        else:
            cache = step.assignment.cache
            step.cached = task.cached_call(cache, attempt.shared_codec, args, kwargs)
        return self._start(step, sight, on_loop)

    def order_of(self, scope: Scope) -> Order | None:
        """Return the order in which a scope's code on the loop gets to know things; None for none.

        There is none where nothing is recorded.
        """
        if scope.order is None and self.watch is not None and self.attempt.journal.stores:
            recorded = set[str]()
            if scope.step.tries == 1 and scope.step.is_recorded:
                recorded = self.attempt.replay.recorded_in(scope.step_id)
            scope.order = Order(scope, self.watch, recorded)
            self.orders.add(scope.order)
        return scope.order

    def asked(self, scope: Scope, step_id: str) -> None:
        """Take note that the code of a scope has asked for a step, which may be on the record."""
        if self.attempt.journal.has_past and scope.step.is_async:
            order = self.order_of(scope)
            if order is not None:
                order.asked(step_id)

    def parkable(self, coroutine: Coroutine[Any, Any, Any], scope: Scope) -> Parkable[Any]:
        """Return a coroutine of the run's code as one that can wait in the middle of sync code."""
        return Parkable(coroutine, scope, self.watch)

    def _was_cancelled(self, scope: Scope, step_id: str) -> bool:
        """Tell whether the same try of the same code has cancelled a step in an earlier attempt."""
        attempt = self.attempt
        if not attempt.journal.has_past or f"@{step_id}" in attempt.given_up:
            return False
        return attempt.replay.cancelled_in(step_id) == scope.step.tries

    def _given_up(self, sight: Sight, order: Order | None) -> StepFuture[Any]:
        """Return the future of a step that is not to be executed: it is cancelled again."""
        if order is None or self.loop is None:
            future: StepFuture[Any] = StepFuture(sight)
            future.cancel()
            return future
        awaitable: LoopFuture[Any] = LoopFuture(sight, self.loop, ticket=order.begin())
        return cast("StepFuture[Any]", awaitable)

    def _recalled(
        self, order: Order, step_id: str, outcome: Outcome, sight: Sight, is_remote: bool
    ) -> StepFuture[Any]:
        """Return the future of a step on the record, for code on the loop."""
        assert self.loop is not None
        ticket = order.begin()
        at = outcome.at
        if is_remote:  # another attempt has recorded it: when this run got to know, it has itself
            recorded = self.attempt.journal.recorded(f"@{step_id}") or ""
            at = recorded.decode() if isinstance(recorded, bytes) else recorded
            if not at and (at := ticket.claim()):
                self.attempt.journal.keep(f"@{step_id}", at)
                at = ""
        if ticket.number < 0:
            ticket.stamp = Stamp.read(at) if at else FIRST
        future: LoopFuture[Any] = LoopFuture(sight, self.loop, ticket=ticket)
        future.add_done_callback(retrieve)
        future.replay(outcome)
        return cast("StepFuture[Any]", future)

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
        if on_loop and (step.queue or step.policies):  # it may wait for long, which a thread cannot
            return self._launch(step, sight)
        job = ThreadJob(self, step, sight)
        self.account.began(step.id)
        if not on_loop:
            self.limiter.enter(job)
            return job.future
        assert self.loop is not None
        future: LoopFuture[Any] = LoopFuture(
            sight, self.loop, ticket=step.ticket, on_cancel=partial(self._forget, step)
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
        body = self._seated(LoopSeat(step, self.loop)) if self._limited else self.aperform(step)
        name = self.attempt.assignment.run_id
        context = step.context if step.is_async else step.context.copy()
        task: StepTask[Any] = StepTask(
            body, sight=sight, loop=self.loop, name=name, context=context
        )
        self.account.began(step.id, task)
        return cast("StepFuture[Any]", task)

    def _launch_from_thread(self, step: Step, sight: Sight) -> StepFuture[Any]:
        assert self.loop is not None
        future: StepFuture[Any] = StepFuture(sight)
        self.account.began(step.id)

        def stay() -> None:
            """Let the thread leave the process: the step waits, and nothing of it goes on."""
            if not future.done():
                future.set_exception(Suspend(f"step {step.id!r} waits for what has not come yet"))

        def launch() -> None:
            task = cast("StepTask[Any]", self._launch(step, sight))
            assert self.watch is not None
            self.watch.left_behind[step.id] = stay
            task.add_done_callback(lambda done: relay(done, future))
            self.account.ended(step.id)

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

    async def aperform(self, step: Step) -> Any:
        """Perform a step on the loop; its caller gets to know of its end in turn."""
        ticket = step.ticket
        try:
            if step.gate is not None:
                await self._admitted(step)
            value = await afollow(perform(step), partial(self.aeffect, step))
        except Suspend as error:
            if self.attempt.is_ending:
                raise
            return await self._stay(step, error)
        except Exception:
            if ticket is not None:
                await ticket.turn()
            raise
        except BaseException:
            if ticket is not None:
                ticket.drop()
            if step.sight is not None:
                step.sight.forget()
            raise
        if ticket is not None and not ticket.is_next():
            await ticket.turn()
        return value

    async def _admitted(self, step: Step) -> None:
        """Return when a replay has come to its end, so that new steps may begin."""
        assert step.gate is not None
        self.held_steps.add(step.id)
        try:
            await step.gate
        except asyncio.CancelledError:
            give_up_step(step)
            raise
        finally:
            self.held_steps.discard(step.id)

    async def _stay(self, step: Step, error: Suspend) -> Any:
        """Wait for ever, as the body of a step has left the process; its caller may go on."""
        self.parked_steps.add(step.id)
        if self.watch is not None:
            self.watch.notice()
        try:
            return await Parked[Any](loop=self.loop)
        except asyncio.CancelledError:
            for name in error.waits:
                self.attempt.waits.withdraw(name)
            give_up_step(step)
            raise
        finally:
            self.parked_steps.discard(step.id)

    async def _park(self, step: Step, park: Park) -> Any:
        (name,) = park.away.waits
        wait = until(step, name, park.seconds, None)
        self.parked_steps.add(step.id)
        try:
            return await (wait if step.parent is not None else self._root(step, wait))
        finally:
            self.parked_steps.discard(step.id)

    async def _seated(self, seat: LoopSeat) -> Any:
        self.limiter.enter(seat)
        try:
            await seat.free.wait()
            return await self.aperform(seat.step)
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
            case Pause(seconds):
                self._stop.wait(seconds)
                return self.attempt.check()
            case Park(away):
                raise away
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
                return self._children()
            case Pause(seconds):
                return self._asleep(seconds)
            case Park():
                return self._park(step, effect)
            case _:
                return asyncio.to_thread(self.effect, step, effect)

    def _abody(self, step: Step) -> Awaitable[Any]:
        if not step.is_async:
            return self._acall_in_thread(step)
        return acall(step) if step.parent is not None else self._root(step, acall(step))

    async def _acall_in_thread(self, step: Step) -> Any:
        loop, pool = asyncio.get_running_loop(), self.threads.executor
        value = await loop.run_in_executor(pool, lambda: step.context.run(call, step))
        if not isinstance(value, Unawaited):
            return value
        rest = acall(step, value)
        return await (rest if step.parent is not None else self._root(step, rest))

    async def _root(self, step: Step, work: Awaitable[Any]) -> Any:
        """Do what a body does on the loop, so that its run can leave the process meanwhile."""
        watch = self.watch
        assert watch is not None
        watch.root = asyncio.current_task()
        try:
            return await work
        except (asyncio.CancelledError, Suspend):
            if not self.attempt.is_leaving or watch.root is None:
                raise
            if watch.root.uncancel() > watch.cancelled_before:
                raise asyncio.CancelledError from None  # somebody else has cancelled it, too
            run_id = self.attempt.assignment.run_id
            raise Suspend(f"run {run_id!r} leaves its process") from None
        finally:
            watch.root = None

    async def _children(self) -> None:
        """Return when no step runs any more."""
        if self.watch is not None:
            self.watch.is_root_over = True
            self.watch.changed()
        await self.account.ajoin()

    async def _asleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.attempt.check()

    def stop(self, stop: Stop) -> None:
        """End the attempt: at its next step, or where it sleeps between tries."""
        self.attempt.stopping = stop
        self._stop.set()
        if self.watch is not None:
            self.watch.changed()

    def leave(self) -> None:
        """Let the run leave its process: none of its branches can go on; call it on the loop.

        If it was to stop meanwhile, it stops.
        """
        if self.attempt.stopping is None:
            self.attempt.is_leaving = True
            self.attempt.waits.settle()
        root = self.watch.root if self.watch is not None else None
        self.account.cancel_tasks()
        self.end_coroutines(every=True, but=root)
        if self.watch is not None and root is not None:
            self.watch.cancelled_before = root.cancelling()
            root.cancel()

    def end_coroutines(self, *, every: bool = False, but: asyncio.Task[Any] | None = None) -> None:
        """Cancel the asyncio tasks of the run's code that wait for what does not come any more."""
        if self.watch is None:
            return
        steps = self.account.tasks
        tasks = {
            coroutine.task
            for coroutine in tuple(self.watch.coroutines)
            if every or isinstance(coroutine.blocked_on, Parked)
        }
        for task in tasks - steps - {None, but}:
            assert task is not None
            task.add_done_callback(retrieve)
            task.cancel()

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
