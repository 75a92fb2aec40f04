"""Runs the bodies of one attempt: sync ones in threads, async ones on the loop."""

from __future__ import annotations

__all__ = ["Runner"]

import asyncio
import logging
import threading
from asyncio import events
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, InvalidStateError
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, cast

from penstock.runtime.attempt import Attempt
from penstock.runtime.errors import Stop, Suspend
from penstock.runtime.future import StepFuture
from penstock.runtime.inject import injected
from penstock.runtime.limiter import Limiter
from penstock.runtime.lineage import Branch
from penstock.runtime.outcome import Outcome
from penstock.runtime.perform import Do, Effect, Step, adrive, drive, perform
from penstock.runtime.scope import Scope, current
from penstock.runtime.threads import Threads

if TYPE_CHECKING:
    from penstock.runtime.task import Task

logger = logging.getLogger(__name__)

THREADS = 32
"""Sync bodies of one attempt that run at once, unless `max_concurrency` says otherwise."""

INLINE_DEPTH = 8
"""How deep a waiting thread may itself run the steps it waits for."""

_depth = threading.local()


class Runner:
    """Starts the steps of one attempt and keeps account of those that run."""

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
        self._limited = limit is not None
        self._running = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._idle: Callable[[], None] | None = None
        self._stop = threading.Event()

    # -- calls ----------------------------------------------------------------------------------

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
        outcome = attempt.recall(step_id, task.name, digest, task.on_change)
        if outcome is not None:
            return self._settled(outcome, on_loop)
        if task.is_async and self.loop is None:
            raise RuntimeError(
                f"task {task.name!r} is async and the run is not: "
                "use ainvoke or astream, or enqueue the run to a worker."
            )
        step = self.step(branch.scope, step_id, task, args, kwargs, digest)
        attempt.start_step(step, text)
        if not on_loop:
            return self._in_thread(step) if not task.is_async else self._across(step)
        if task.is_async:
            return cast("StepFuture[Any]", self._on_loop(step))
        future = asyncio.wrap_future(self._in_thread(step), loop=self.loop)
        future.add_done_callback(_retrieve)
        return cast("StepFuture[Any]", future)

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

    def _settled(self, outcome: Outcome, on_loop: bool) -> StepFuture[Any]:
        future: Any = StepFuture[Any]()
        if on_loop and self.loop is not None:
            future = self.loop.create_future()
        if outcome.error is not None:
            future.set_exception(outcome.error)
            future.add_done_callback(_retrieve)
        else:
            future.set_result(outcome.value)
        return cast("StepFuture[Any]", future)

    def _in_thread(self, step: Step) -> StepFuture[Any]:
        job = _Job(self, step)
        self._began()
        self.limiter.enter(job)
        return job.future

    def _on_loop(self, step: Step) -> asyncio.Task[Any]:
        assert self.loop is not None
        body: Coroutine[Any, Any, Any] = self._aperform(step)
        if self._limited:
            body = self._seated(step, body)
        run_id = self.attempt.assignment.run_id
        task = self.loop.create_task(body, name=run_id, context=step.context)
        self._began()
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)
        return task

    def _across(self, step: Step) -> StepFuture[Any]:
        assert self.loop is not None
        future = StepFuture[Any]()
        self._began()

        def launch() -> None:
            _chain(self._on_loop(step), future)
            self._ended()

        self.loop.call_soon_threadsafe(launch)
        return future

    # -- bodies ---------------------------------------------------------------------------------

    def perform(self, step: Step) -> Any:
        """Perform a step in this thread."""
        return drive(perform(step), lambda effect: self.effect(step, effect))

    async def _aperform(self, step: Step) -> Any:
        return await adrive(perform(step), lambda effect: self.aeffect(step, effect))

    async def _seated(self, step: Step, body: Coroutine[Any, Any, Any]) -> Any:
        seat = _Seat(step, asyncio.get_running_loop())
        self.limiter.enter(seat)
        try:
            await seat.free.wait()
            return await body
        finally:
            body.close()
            self.limiter.leave(seat)

    def effect(self, step: Step, effect: Effect) -> Any:
        """Do what a plan asks for, in this thread."""
        if effect is Do.BODY:
            return step.context.run(_call, step)
        if effect is Do.STORE:
            return self.attempt.journal.flush()
        if effect is Do.CHILDREN:
            return self._join()
        assert not isinstance(effect, Do)
        self._stop.wait(effect.seconds)
        return self.attempt.check()

    async def aeffect(self, step: Step, effect: Effect) -> Any:
        """Do what a plan asks for, on the loop."""
        if effect is Do.BODY:
            return await self._acall(step)
        if effect is Do.STORE:
            return await self.attempt.journal.aflush()
        if effect is Do.CHILDREN:
            return await self._ajoin()
        assert not isinstance(effect, Do)
        await asyncio.sleep(effect.seconds)
        return self.attempt.check()

    async def _acall(self, step: Step) -> Any:
        if not step.is_async:
            assert self.loop is not None
            return await self.loop.run_in_executor(
                self.threads.executor, lambda: step.context.run(_call, step)
            )
        branch = step.scope.branch
        branch.owner = asyncio.current_task()
        token = current.set(branch)
        try:
            return await step.function(*step.args, **injected(step))
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling() == 0 and self.attempt.stopping is None:
                raise RuntimeError(f"{step.name!r} raised CancelledError itself") from error
            raise
        except (SystemExit, KeyboardInterrupt) as error:
            raise RuntimeError(f"{step.name!r} raised {type(error).__name__}: {error}") from error
        finally:
            current.reset(token)

    # -- account --------------------------------------------------------------------------------

    def stop(self, stop: Stop) -> None:
        """End the attempt: at its next step, or where it sleeps between tries."""
        self.attempt.stopping = stop
        self._stop.set()

    def cancel_tasks(self) -> None:
        """Cancel the steps that run on the loop; call it on the loop."""
        for task in tuple(self._tasks):
            task.cancel()

    def _began(self) -> None:
        with self.attempt.lock:
            self._running += 1

    def _ended(self) -> None:
        with self.attempt.lock:
            self._running -= 1
            idle = self._idle if self._running == 0 else None
        if idle is not None:
            idle()

    def _task_ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        _retrieve(task)
        self._ended()

    def ended(self, job: _Job) -> None:
        """Take note that a step in a thread is done."""
        self.limiter.leave(job)
        self._ended()

    def _join(self) -> None:
        done = threading.Event()
        if not self._when_idle(done.set):
            done.wait()

    async def _ajoin(self) -> None:
        loop = asyncio.get_running_loop()
        done = asyncio.Event()
        if not self._when_idle(lambda: loop.call_soon_threadsafe(done.set)):
            await done.wait()

    def _when_idle(self, tell: Callable[[], Any]) -> bool:
        with self.attempt.lock:
            self._idle = tell
            return self._running == 0


class _Job:
    """A step that waits for a thread, or for the one that waits for it."""

    __slots__ = ("_free", "future", "runner", "step")

    def __init__(self, runner: Runner, step: Step) -> None:
        self.runner = runner
        self.step = step
        self.future = StepFuture[Any](self.help_out)
        self._free = threading.Lock()

    def begin(self) -> None:
        self.runner.threads.start(self)

    def help_out(self) -> None:
        """Run the step in the thread that waits for it, unless it is running already."""
        depth = getattr(_depth, "value", 0)
        if depth < INLINE_DEPTH and not self.is_taken and self.runner.limiter.pull(self):
            _depth.value = depth + 1
            try:
                self.run()
            finally:
                _depth.value = depth

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
                _resolve(future, self.runner.perform(self.step))
        except BaseException as error:
            _fail(future, error)
        finally:
            self.runner.ended(self)


class _Seat:
    """A step on the loop that waits until there is room."""

    def __init__(self, step: Step, loop: asyncio.AbstractEventLoop) -> None:
        self.step = step
        self._loop = loop
        self.free = asyncio.Event()

    def begin(self) -> None:
        self._loop.call_soon_threadsafe(self.free.set)


def _call(step: Step) -> Any:
    branch = step.scope.branch
    branch.owner = threading.get_ident()
    current.set(branch)
    return step.function(*step.args, **injected(step))


def _resolve(future: Future[Any], value: Any) -> None:
    try:
        future.set_result(value)
    except InvalidStateError:
        logger.debug("a step ended after its future was cancelled")


def _fail(future: Future[Any], error: BaseException) -> None:
    try:
        future.set_exception(error)
    except InvalidStateError:
        logger.debug("a step failed after its future was cancelled")


def _chain(task: asyncio.Task[Any], future: Future[Any]) -> None:
    def copy(done: asyncio.Task[Any]) -> None:
        if done.cancelled():
            future.cancel()
        elif (error := done.exception()) is not None:
            _fail(future, error)
        else:
            _resolve(future, done.result())

    task.add_done_callback(copy)


def _retrieve(future: Any) -> None:
    """Take an error out of an asyncio future, so that it is not reported as never retrieved."""
    if not future.cancelled() and (error := future.exception()) is not None:
        if not isinstance(error, (Exception, Suspend, Stop)):
            logger.error("a step ended by %s", type(error).__name__)
