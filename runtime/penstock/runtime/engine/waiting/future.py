"""What calling a task returns: the outcome of a step, now or later."""

from __future__ import annotations

__all__ = ["LoopFuture", "OutcomeUse", "StepFuture", "StepTask", "relay", "retrieve", "settle"]

import asyncio
import concurrent.futures
import contextvars
import logging
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, Protocol, TypeVar

from penstock.runtime.engine.waiting.place import Place
from penstock.runtime.engine.waiting.watched_task import WatchedTask
from penstock.runtime.errors import Suspend
from penstock.runtime.journal.outcome import Outcome

T = TypeVar("T")

logger = logging.getLogger(__name__)


class Caller(Protocol):
    """The execution of a body or step whose code gets a future."""

    progress: int
    """How far the code has come: grows with each call into the run."""

    def hash_of_next(self) -> int:
        """Return the hash of the next future that the code gets."""
        ...


class OutcomeUse:
    """Whether the caller has seen a step's outcome, and how far it had come by then.

    An error that the caller saw and survived is part of what it did; one that it never got, or that
    ended it, is not. `gather` looks at errors for the caller, who may get them or not: then it has
    survived if it went on.
    """

    __slots__ = ("_is_given_up", "_looked", "_peeked", "caller", "step_id")

    def __init__(self, caller: Caller, step_id: str = "") -> None:
        self.caller = caller
        self.step_id = step_id
        self._is_given_up = False
        self._looked = False
        self._peeked: int | None = None

    def note_request(self) -> None:
        """Note that the caller asks for the outcome."""
        self._looked = not self._is_given_up

    def note_check(self) -> None:
        """Note that somebody looks whether there is an error."""
        if self._peeked is None and not self._is_given_up:
            self._peeked = self.caller.progress

    def forget(self) -> None:
        """Note that the caller has given the step up before it got the outcome."""
        self._is_given_up = True
        self._looked, self._peeked = False, None

    @property
    def is_seen(self) -> bool:
        """Whether anybody has asked for the outcome."""
        return self._looked or self._peeked is not None

    @property
    def is_survived(self) -> bool:
        """Whether an error reached the caller, or went to somebody else and the caller went on."""
        if self._looked:
            return True
        return self._peeked is not None and self.caller.progress > self._peeked


class StepFuture(concurrent.futures.Future[T], Generic[T]):
    """The outcome of a step: `.result()` in sync code, `await` in async code.

    In sync code this class itself, good for `concurrent.futures.wait` and `as_completed`. In async
    code the call returns an asyncio future of the running loop, which the same type stands for.
    """

    def __init__(self, use: OutcomeUse, help_out: Callable[[], None] | None = None) -> None:
        super().__init__()
        self._use = use
        self._help_out = help_out

    @property
    def step_id(self) -> str:
        """The id of the step."""
        return self._use.step_id

    def result(self, timeout: float | None = None) -> T:
        """Return the step's value or raise its error; runs the step here if nobody has begun it.

        Raises:
            TimeoutError: it took longer than `timeout` seconds.
        """
        self._use.note_request()
        if self._help_out is not None and timeout is None:
            self._help_out()
        return super().result(timeout)

    def forget_job(self) -> None:
        """Let go of what would run the step: it is over, and refers to this future."""
        self._help_out = None

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return the step's error, None if it has a value.

        Raises:
            TimeoutError: it took longer than `timeout` seconds.
        """
        self._use.note_request()
        return super().exception(timeout)

    def __await__(self) -> Generator[Any, None, T]:
        self._use.note_request()
        return asyncio.wrap_future(self).__await__()


class LoopFuture(asyncio.Future[T], Generic[T]):
    """The outcome of a step that is recorded, or runs in a thread, for code on the loop."""

    __slots__ = ("_hash", "_on_cancel", "_outcome", "_outlives", "_place", "_source", "_use")

    def __init__(
        self,
        use: OutcomeUse,
        loop: asyncio.AbstractEventLoop,
        *,
        place: Place | None = None,
        on_cancel: Callable[[], object] | None = None,
    ) -> None:
        self._hash = use.caller.hash_of_next()
        super().__init__(loop=loop)
        self._use = use
        self._source: concurrent.futures.Future[T] | None = None
        self._outcome: Outcome | None = None
        self._place = place
        self._on_cancel = on_cancel
        self._outlives = 0

    def __hash__(self) -> int:
        return self._hash

    def follow(self, source: concurrent.futures.Future[T]) -> None:
        """Take the outcome of a thread, when it is this one's turn."""
        self._source = source
        source.add_done_callback(self._bring)

    def replay(self, outcome: Outcome) -> None:
        """Take an outcome on the record, when it is this one's turn."""
        if self._place is None:
            settle(self, outcome)
            return
        self._outcome = outcome
        self._outlives = outcome.cancels
        if outcome.error is None:
            self._place.future = self
        self._place.deliver(self._recall, soon=True)

    def replay_cancelled(self, place: Place, requests: int) -> None:
        """End as a step did that its caller had cancelled so often, when it is this one's turn."""
        self._outlives = requests
        place.deliver(self._end_cancelled, soon=True)

    def _end_cancelled(self) -> None:
        self._outlives = 0
        self.cancel()

    def _recall(self) -> None:
        if self._outcome is not None and not self.done():
            settle(self, self._outcome)

    @property
    def step_id(self) -> str:
        """The id of the step."""
        return self._use.step_id

    def _bring(self, source: concurrent.futures.Future[T]) -> None:
        self.get_loop().call_soon_threadsafe(self._take, source)

    def _take(self, source: concurrent.futures.Future[T]) -> None:
        if not source.cancelled():
            error = concurrent.futures.Future.exception(source)
            if isinstance(error, Suspend):
                return  # the step waits for what comes in a later attempt, and so does its caller
        if self._place is None:
            relay(source, self)
        else:
            if not source.cancelled() and concurrent.futures.Future.exception(source) is None:
                self._place.future = self
            self._place.deliver(lambda: relay(source, self))

    def cancel(self, msg: Any = None) -> bool:
        """Give the step up; a body that runs in a thread runs on, its outcome is dropped.

        A step that is recorded to have gone on after so many requests does so again.
        """
        if self._outlives and not self.done():
            self._outlives -= 1
            return True
        if self._source is not None:
            self._source.cancel()
        if not super().cancel(msg):
            return False
        self._use.forget()
        if self._place is not None:
            self._place.drop()
        if self._on_cancel is not None:
            self._on_cancel()
        return True

    def __await__(self) -> Generator[Any, None, T]:
        self._use.note_request()
        outcome = self._outcome
        if outcome is not None and not self.done():
            assert self._place is not None
            if self._place.is_next():
                settle(self, outcome)
        return super().__await__()

    __iter__ = __await__

    def result(self) -> T:
        """Return the step's value or raise its error."""
        self._use.note_request()
        return super().result()

    def exception(self) -> BaseException | None:
        """Return the step's error, None if it has a value."""
        self._use.note_check()
        return super().exception()


class StepTask(WatchedTask[T], Generic[T]):
    """A step that runs on the loop, and its outcome."""

    __slots__ = ("_hash", "_on_cancel", "use")

    def __init__(
        self,
        coro: Coroutine[Any, Any, T],
        *,
        use: OutcomeUse,
        loop: asyncio.AbstractEventLoop,
        context: contextvars.Context,
        name: str | None = None,
        place: Place | None = None,
        on_cancel: Callable[[StepTask[T]], object] | None = None,
    ) -> None:
        self._hash = use.caller.hash_of_next()  # asyncio asks for it at once
        self._on_cancel = on_cancel
        self.use = use
        self.places = () if place is None else (place,)
        asyncio.Task.__init__(self, coro, loop=loop, name=name, context=context)

    def __hash__(self) -> int:
        return self._hash

    def cancel(self, msg: Any = None) -> bool:
        """Ask the code to end; `on_cancel` is called when it has, as it may never have begun."""
        if self._on_cancel is not None and not self.done():
            self.add_done_callback(self._on_cancel)
        return super().cancel(msg)

    @property
    def step_id(self) -> str:
        """The id of the step."""
        return self.use.step_id

    def __await__(self) -> Generator[Any, None, T]:
        self.use.note_request()
        return super().__await__()

    __iter__ = __await__

    def result(self) -> T:
        """Return the step's value or raise its error."""
        self.use.note_request()
        return super().result()

    def exception(self) -> BaseException | None:
        """Return the step's error, None if it has a value."""
        self.use.note_check()
        return super().exception()


def settle(future: Any, outcome: Outcome) -> None:
    """Give a future the outcome it stands for."""
    if outcome.error is not None:
        future.set_exception(outcome.error)
    else:
        future.set_result(outcome.value)


def retrieve(future: asyncio.Future[Any]) -> None:
    """Look at a future's error, so that asyncio does not report it: the engine does."""
    if not future.cancelled():
        asyncio.Future.exception(future)


def relay(source: Any, target: Any) -> None:
    """Bring the outcome of a future that is done to another one, unless that was cancelled.

    Asks the plain future classes, as the step's own would take it for the caller's look.
    """
    plain: Any = concurrent.futures.Future
    if isinstance(source, asyncio.Future):
        plain = asyncio.Task
    if target.done():
        logger.debug("a step ended after its future was cancelled")
    elif source.cancelled():
        target.cancel()
    elif (error := plain.exception(source)) is not None:
        target.set_exception(error)
    else:
        target.set_result(plain.result(source))
