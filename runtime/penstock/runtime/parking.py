"""Coroutines that can wait in the middle of sync code, so that `interrupt()` needs no `await`.

Each coroutine of a run is driven inside a greenlet. Where code below it has to wait, the greenlet
hands what it waits for to the asyncio task outside, as `await` does, and keeps its stack.
"""

from __future__ import annotations

__all__ = ["Parkable", "Parked", "Watch", "can_park", "muted", "park"]

import asyncio
import threading
from collections.abc import Awaitable, Coroutine, Generator
from contextlib import contextmanager
from typing import Any, Final, Generic, Protocol, TypeVar, cast

from greenlet import GreenletExit, getcurrent, greenlet

from penstock.runtime.errors import Suspend
from penstock.runtime.outcome import Outcome

T = TypeVar("T")

MOST_IDLE: Final = 1000
"""Stacks that a thread keeps for its next coroutines; to make one takes as long as a small step."""


class Parked(asyncio.Future[T], Generic[T]):
    """Resolves when what a branch waits for has come; pending, it keeps no run in its process."""


class Watch(Protocol):
    """What is told of the coroutines of a run."""

    coroutines: set[Parkable[Any]]
    """Those that have begun and not ended."""

    def blocked(self, coroutine: Parkable[Any], /) -> None:
        """Take note that one waits."""
        ...

    def given_up(self, error: Suspend, /) -> None:
        """Take note that one was cancelled that waited for code which has left the process."""
        ...


class _Strand(greenlet):
    """A stack on which one coroutine after another is driven, with all that it calls."""

    owner: Parkable[Any] | None = None


class _Idle(threading.local):
    """The stacks of a thread that drive nothing now: a greenlet cannot leave its thread."""

    def __init__(self) -> None:
        self.strands: list[_Strand] = []


_idle = _Idle()


class Parkable(Coroutine[Any, Any, T], Generic[T]):
    """Drives a coroutine so that sync code below it can wait.

    `blocked_on` is what its asyncio task waits for, None while it can go on. An error `Suspend`
    that comes out of something awaited does not reach the coroutine: it stays where it is, as what
    it waits for comes in a later attempt.
    """

    __slots__ = (
        "_leaf", "_outcome", "_strand", "_watch", "blocked_on", "coroutine", "lacks", "left",
        "muted", "scope", "task",
    )  # fmt: skip

    def __init__(
        self, coroutine: Coroutine[Any, Any, T], scope: Any, watch: Watch | None = None
    ) -> None:
        self.coroutine = coroutine
        self.scope = scope
        self._strand: _Strand | None = None
        self._leaf: greenlet | None = None
        self._outcome: Outcome | None = None
        self._watch = watch
        self.blocked_on: Any = None
        self.muted = 0
        """How many calls are under way whose waits another attempt may not repeat."""
        self.lacks: Suspend | None = None
        """What keeps it from going on in this attempt, if anything does."""
        self.left: Any = None
        """What it waited for as it came to lack that."""
        self.task: asyncio.Future[Any] | None = None

    # -- what asyncio calls ----------------------------------------------------------------------

    def send(self, value: Any, /) -> Any:
        """Go on, and return what the coroutine waits for next."""
        self.blocked_on = None
        if self._leaf is None:
            awaited = self._begin().switch()
        else:
            awaited = self._resumed().switch(value)
        return awaited if self._outcome is None else self._ended(self._outcome)

    def throw(self, error: Any, value: Any = None, traceback: Any = None, /) -> Any:
        """Raise an error where the coroutine waits, and return what it waits for next."""
        if self._leaf is None:
            return self.coroutine.throw(error if value is None else value)
        self.blocked_on = None
        awaited = self._resumed().throw(error if value is None else value)
        return awaited if self._outcome is None else self._ended(self._outcome)

    def close(self) -> None:
        """Let the coroutine clean up, wherever it waits."""
        if self._leaf is None:
            self.coroutine.close()
            return
        try:
            self.throw(GeneratorExit)
        except (GeneratorExit, StopIteration):
            return
        raise RuntimeError("a coroutine ignored GeneratorExit")

    def __await__(self) -> Generator[Any, Any, T]:
        return cast("Generator[Any, Any, T]", self)

    def __iter__(self) -> Parkable[T]:
        return self

    def __next__(self) -> Any:
        return self.send(None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.coroutine, name)  # what debuggers and asyncio's repr ask for

    # -- between the two stacks ------------------------------------------------------------------

    def wait(self, awaited: Any) -> Any:
        """Hand something awaited to the asyncio task; returns, or raises, when it is done."""
        strand = self._strand
        assert strand is not None and strand.parent is not None
        self._leaf = getcurrent()
        self.blocked_on = awaited
        if self._watch is not None:
            self._watch.blocked(self)
        try:
            value = strand.parent.switch(awaited)
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError) or type(awaited) is asyncio.Future:
                self._tick()
            raise
        if type(awaited) is asyncio.Future:
            self._tick()
        return value

    def _tick(self) -> None:
        """Let the order know that the code goes on, by something that it does not deliver."""
        order = self.scope.order
        if order is not None and not self.muted:
            order.tick()

    def _begin(self) -> _Strand:
        here = getcurrent()
        if _idle.strands:
            strand = _idle.strands.pop()
            strand.parent = here
        else:
            strand = _Strand(_drive)
        strand.gr_context = here.gr_context
        strand.owner = self
        self._strand = self._leaf = strand
        if self._watch is not None:
            self._watch.coroutines.add(self)
        return strand

    def _resumed(self) -> greenlet:
        assert self._strand is not None and self._leaf is not None
        if self._strand.parent is not getcurrent():
            self._strand.parent = getcurrent()
        return self._leaf

    def _ended(self, outcome: Outcome) -> Any:
        strand, self._strand, self._leaf = self._strand, None, None
        assert strand is not None
        strand.owner = strand.gr_context = None
        if self._watch is not None:
            self._watch.coroutines.discard(self)
        if len(_idle.strands) < MOST_IDLE:
            _idle.strands.append(strand)
        if outcome.error is not None:
            raise outcome.error
        raise StopIteration(outcome.value)

    def drive(self) -> Outcome:
        """Follow the coroutine to its end; in the strand."""
        coroutine = self.coroutine
        try:
            awaited = coroutine.send(None)
            while True:
                try:
                    value = self.wait(awaited)
                except BaseException as error:
                    awaited = self._raised(error, awaited)
                else:
                    awaited = coroutine.send(value)
        except StopIteration as stop:
            return Outcome(stop.value)
        except GreenletExit:
            raise
        except BaseException as error:
            return Outcome(error=error)

    def _raised(self, error: BaseException, awaited: Any) -> Any:
        """Raise in the coroutine what came of something awaited; returns what it awaits next."""
        if isinstance(error, GreenletExit):  # nobody refers to the coroutine any more
            self.coroutine.close()
            raise error
        if isinstance(error, Suspend) and not self.scope.attempt.is_ending:
            self.lacks, self.left = error, awaited
            return next(iter(Parked[None]().__await__()))  # what never comes in this attempt
        if self.lacks is not None and self._watch is not None:
            self._watch.given_up(self.lacks)
        return self.coroutine.throw(error)

    def end(self, outcome: Outcome) -> greenlet:
        """Take the outcome; returns where to go with it."""
        self._outcome = outcome
        strand = self._strand
        assert strand is not None and strand.parent is not None
        return strand.parent


def _drive() -> None:
    """Drive one coroutine after another; keeps nothing of them, as a stack may be kept long."""
    while True:
        owner = _owner()
        outcome = owner.drive()
        outside = owner.end(outcome)
        del owner, outcome
        outside.switch(None)
        del outside


def _owner() -> Parkable[Any]:
    owner = cast(_Strand, getcurrent()).owner
    assert owner is not None
    return owner


def _strand() -> _Strand | None:
    """Return the strand that the calling code runs in; also through greenlets of others."""
    current: greenlet | None = getcurrent()
    while current is not None and not isinstance(current, _Strand):
        current = current.parent
    return current


@contextmanager
def muted() -> Generator[None]:
    """Leave out of the order what a call into the engine waits for, as a replay may not wait."""
    strand = _strand()
    owner = strand.owner if strand is not None else None
    if owner is None:
        yield
        return
    owner.muted += 1
    try:
        yield
    finally:
        owner.muted -= 1


def can_park() -> bool:
    """Tell whether the calling code runs in a coroutine of a run, and so can wait in place."""
    return _strand() is not None


def park(awaitable: Awaitable[T]) -> T:
    """Wait for something, as `await` does, from sync code below a coroutine of a run."""
    strand = _strand()
    assert strand is not None
    owner, steps = strand.owner, awaitable.__await__()
    assert owner is not None
    try:
        awaited = next(steps)
        while True:
            try:
                value = owner.wait(awaited)
            except BaseException as error:
                awaited = steps.throw(error)
            else:
                awaited = steps.send(value)
    except StopIteration as stop:
        return cast(T, stop.value)
