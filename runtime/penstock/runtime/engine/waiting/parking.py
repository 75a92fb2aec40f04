"""Coroutines that can wait in the middle of sync code, so that `interrupt()` needs no `await`.

Each coroutine of a run is driven inside a greenlet. Where code below it has to wait, the greenlet
hands what it waits for to the asyncio task outside, as `await` does, and keeps its stack.
"""

from __future__ import annotations

__all__ = ["Parkable", "Parked", "Watch", "begin", "can_park", "muted", "park"]

import asyncio
import threading
from collections.abc import Awaitable, Coroutine, Generator
from contextlib import contextmanager
from typing import Any, Final, Generic, Protocol, TypeVar, cast

from greenlet import GreenletExit, getcurrent, greenlet

from penstock.runtime.engine.waiting.waits import Waits
from penstock.runtime.errors import Suspend

T = TypeVar("T")

MOST_IDLE: Final = 1000
"""Stacks that a thread keeps for its next coroutines; to make one takes as long as a small step."""


_PLAIN_FUTURE: Final = asyncio.Future


class Parked(asyncio.Future[T], Generic[T]):
    """Resolves when what a branch waits for has come; pending, it keeps no run in its process."""


class Watch(Protocol):
    """What is told of the coroutines of a run."""

    coroutines: set[Parkable[Any]]
    """Those that have begun and not ended."""

    waits: Waits

    def blocked(self, coroutine: Parkable[Any], /) -> None:
        """Take note that one waits, while others do."""
        ...

    def notice(self) -> None:
        """Look soon whether the run can still go on; from any thread."""
        ...

    def given_up(self, error: Suspend, /) -> None:
        """Take note that one was cancelled that waited for code which has left the process."""
        ...


class _Strand(greenlet):
    """A stack on which one coroutine after another is driven, with all that it calls.

    Each step sets and reads its attributes: slots take a tenth of the time that a dictionary does
    in a class whose base is written in C.
    """

    __slots__ = ("coroutine", "failure", "has_ended", "home", "owner", "scope", "value")

    def __init__(self, home: list[_Strand]) -> None:
        super().__init__(_drive)
        self.home = home
        """The idle strands of its thread."""
        self.coroutine: Any = None
        """What it drives now."""
        self.has_ended = False
        """Whether that has ended."""
        self.scope: Any = None
        self.owner: Parkable[Any] | None = None
        """What stands for the coroutine outside, once it has to wait."""
        self.failure: BaseException | None = None
        """What the coroutine has raised, until that is taken."""
        self.value: Any = None
        """What it has returned, until that is taken."""


class _Idle(threading.local):
    """The stacks of a thread that drive nothing now: a greenlet cannot leave its thread."""

    def __init__(self) -> None:
        self.strands: list[_Strand] = []


_idle = _Idle()


def begin(coroutine: Coroutine[Any, Any, T], scope: Any) -> tuple[T | None, Parkable[T] | None]:
    """Drive a coroutine until it waits; returns its value, or what is to be awaited for that.

    Most steps never wait, and need no more than this.
    """
    strand = _taken(coroutine, scope)
    came = strand.switch()
    if strand.has_ended:
        return _give_back(strand), None
    owner = strand.owner
    assert owner is not None
    owner.first = (came,)
    return None, owner


def _taken(coroutine: Any, scope: Any) -> _Strand:
    here, strands = getcurrent(), _idle.strands
    strand = strands.pop() if strands else _Strand(strands)
    strand.parent = here
    strand.gr_context = here.gr_context
    strand.coroutine, strand.scope = coroutine, scope
    return strand


def _give_back(strand: _Strand) -> Any:
    """Let a strand drive others; returns, or raises, what came of what it drove."""
    owner, value, failure = strand.owner, strand.value, strand.failure
    strand.coroutine = strand.scope = strand.gr_context = strand.value = None
    strand.has_ended = False
    if owner is not None:
        strand.owner = None
        owner.forget()
    if len(strand.home) < MOST_IDLE:
        strand.home.append(strand)
    if failure is not None:
        strand.failure = None
        try:
            raise failure
        finally:
            del failure  # its traceback refers to this frame
    return value


def _drive() -> None:
    """Drive coroutines, one after the other: what a strand does for all its life.

    It hands out what a coroutine waits for. While it is idle it keeps neither a coroutine nor its
    value alive, not even in its variables and in the arguments of its calls.
    """
    strand: Any = getcurrent()
    while True:
        try:
            awaited = strand.coroutine.send(None)
            _owner_of(strand).drive(awaited)
            raise AssertionError("a coroutine is driven to its end")
        except StopIteration as stop:
            strand.value = stop.value
        except GreenletExit:
            raise
        except BaseException as error:
            strand.failure = error
        awaited, strand.has_ended = None, True
        strand.parent.switch()


def _owner_of(strand: _Strand) -> Parkable[Any]:
    """Return what stands for a coroutine outside of its strand."""
    owner = strand.owner
    if owner is None:
        owner = Parkable(strand.coroutine, strand.scope)
        owner.attach(strand)
    return owner


class Parkable(Coroutine[Any, Any, T], Generic[T]):
    """Stands for a coroutine that is driven on a strand, where sync code below it can wait.

    `blocked_on` is what its asyncio task waits for, None while it can go on. An error `Suspend`
    that comes out of something awaited does not reach the coroutine: it stays where it is, as what
    it waits for comes in a later attempt.
    """

    __slots__ = (
        "_leaf", "_strand", "_watch", "blocked_on", "coroutine", "first", "lacks", "left", "muted",
        "scope", "task",
    )  # fmt: skip

    def __init__(self, coroutine: Coroutine[Any, Any, T], scope: Any) -> None:
        self.coroutine = coroutine
        self.scope = scope
        self._strand: _Strand | None = None
        self._leaf: greenlet | None = None
        self._watch: Watch | None = scope.step.runner.watch
        self.blocked_on: Any = None
        self.first: tuple[Any] | None = None
        """What it waits for already as it is awaited."""
        self.muted = 0
        """How many calls are under way whose waits another attempt may not repeat."""
        self.lacks: Suspend | None = None
        """What keeps it from going on in this attempt, if anything does."""
        self.left: Any = None
        """What it waited for as it came to lack that."""
        self.task: asyncio.Future[Any] | None = None

    def attach(self, strand: _Strand) -> None:
        """Stand for what a strand drives."""
        strand.owner = self
        self._strand = self._leaf = strand
        if self._watch is not None:
            self._watch.coroutines.add(self)

    def forget(self) -> None:
        """Stand for nothing any more: the coroutine has ended."""
        self._strand = self._leaf = None
        if self._watch is not None:
            self._watch.coroutines.discard(self)

    # -- what asyncio calls ----------------------------------------------------------------------

    def __next__(self) -> Any:
        if self.first is not None:
            (awaited,), self.first = self.first, None
            return awaited
        strand, leaf = self._strand, self._leaf
        self.blocked_on = None
        if strand is None or leaf is None:
            strand = _taken(self.coroutine, self.scope)
            self.attach(strand)
            came = strand.switch()
        else:
            if strand.parent is not (here := getcurrent()):
                strand.parent = here
            came = leaf.switch(None)
        if strand.has_ended:
            raise StopIteration(_give_back(strand))
        return came

    def send(self, value: Any, /) -> Any:
        """Go on, and return what the coroutine waits for next."""
        return self.__next__()  # asyncio sends nothing but None

    def throw(self, error: Any, value: Any = None, traceback: Any = None, /) -> Any:
        """Raise an error where the coroutine waits, and return what it waits for next."""
        self.first = None
        strand, leaf = self._strand, self._leaf
        if strand is None or leaf is None:
            return self.coroutine.throw(error if value is None else value)
        self.blocked_on = None
        if strand.parent is not (here := getcurrent()):
            strand.parent = here
        came = leaf.throw(error if value is None else value)
        if strand.has_ended:
            raise StopIteration(_give_back(strand))
        return came

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

    def __getattr__(self, name: str) -> Any:
        return getattr(self.coroutine, name)  # what debuggers and asyncio's repr ask for

    # -- between the two stacks ------------------------------------------------------------------

    def wait(self, awaited: Any) -> Any:
        """Hand something awaited to the asyncio task; returns, or raises, when it is done."""
        outside, watch = cast(_Strand, self._strand).parent, self._watch
        assert outside is not None
        self.blocked_on = awaited
        if watch is not None and watch.waits.by_name:
            watch.blocked(self)
        try:
            value = outside.switch(awaited)
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError) or type(awaited) is _PLAIN_FUTURE:
                self._tick()
            raise
        if type(awaited) is _PLAIN_FUTURE:
            self._tick()
        return value

    def wait_below(self, awaited: Any) -> Any:
        """As `wait`, for sync code, whose stack is to go on; it may be a greenlet of its own."""
        self._leaf = getcurrent()
        try:
            return self.wait(awaited)
        finally:
            self._leaf = self._strand

    def _tick(self) -> None:
        """Let the order know that the code goes on, by something that it does not deliver."""
        order = self.scope.order
        if order is not None and not self.muted:
            order.tick()

    def drive(self, awaited: Any) -> None:
        """Follow the coroutine to its end, from the first that it waits for; in the strand.

        Raises:
            StopIteration: it has returned.
        """
        coroutine = self.coroutine
        while True:
            try:
                value = self.wait(awaited)
            except BaseException as error:
                awaited = self._raised(error, awaited)
            else:
                awaited = coroutine.send(value)

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


def _strand() -> _Strand | None:
    """Return the strand that the calling code runs in; also through greenlets of others."""
    current: greenlet | None = getcurrent()
    while current is not None and not isinstance(current, _Strand):
        current = current.parent
    return current


@contextmanager
def muted() -> Generator[None]:
    """Leave out of the order what a call into the engine waits for, as a replay may not wait."""
    owner = _owner()
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
    owner, steps = _owner(), awaitable.__await__()
    assert owner is not None
    try:
        awaited = next(steps)
        while True:
            try:
                value = owner.wait_below(awaited)
            except BaseException as error:
                awaited = steps.throw(error)
            else:
                awaited = steps.send(value)
    except StopIteration as stop:
        return cast(T, stop.value)


def _owner() -> Parkable[Any] | None:
    strand = _strand()
    if strand is None or strand.coroutine is None:
        return None
    return _owner_of(strand)
