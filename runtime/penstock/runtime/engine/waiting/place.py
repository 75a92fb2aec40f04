"""The place of one call, question or sleep in the order of its scope."""

from __future__ import annotations

__all__ = ["Line", "Place", "Turn"]

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Protocol

from penstock.runtime.engine.waiting.stamp import Stamp
from penstock.runtime.engine.waiting.watched_task import WatchedTask


class Turn(asyncio.Future[None]):
    """Resolves when the code may know, or a step may begin."""

    def come(self) -> None:
        """Resolve it, unless nobody waits any more."""
        if not self.done():
            self.set_result(None)


class Line(Protocol):
    """The order that a place belongs to."""

    def claim(self, place: Place, /) -> str:
        """Number what has happened; returns the stamp to record, "" for none."""
        ...

    def pass_alone(self, place: Place, /) -> bool:
        """Let a place's turn come now, if nothing else was under way since it was opened."""
        ...

    def pass_at_once(self, place: Place, /) -> bool:
        """Let a place's turn come now, if nothing is before it and the code has settled."""
        ...

    def line_up(self, place: Place, /, *, soon: bool) -> None:
        """Let a place wait for its turn."""
        ...

    def expect(self, place: Place, stamp: Stamp, /) -> None:
        """Let what comes later on the record wait for a place."""
        ...

    def cancelled(self, place: Place, /) -> None:
        """Tell a place when the code has settled after it cancelled the step."""
        ...

    def leave(self, place: Place, /) -> None:
        """Give a place up: nothing becomes known there."""
        ...

    async def caught_up(self) -> None:
        """Return when the code has come to the end of its record, or to where it needs more."""
        ...

    def future(self) -> Turn:
        """Make a future of the loop."""
        ...


class Place:
    """The place of one call, question or sleep in its scope's order."""

    # Defaults of the class: most places of sequential code never set them.
    future: asyncio.Future[Any] | None = None
    """The future of a step that ends well, to look who waits for it."""
    is_silent: bool | None = None
    """Whether no code goes on by it; None where that was not asked yet."""
    is_dropped = False
    is_over = False
    cancels = 0
    """How often the code has asked to cancel the step."""
    plain_task: tuple[asyncio.Task[Any], int] | None = None
    """The task of its code, if that does not tell of requests, and how many there were before."""
    cleans_up = False
    """Whether the code has settled since, so that the step takes a while to end."""
    is_awaited = False
    """Whether what comes later on the record waits for it, though it has not ended yet."""
    number = -1
    stamp: Stamp | None = None
    ticks = 0
    """How often the code had gone on by itself when it happened."""
    prefix = ""
    """What is recorded before the stamp."""
    ending = ""
    """What is recorded behind it."""
    timers = ""
    """Which timers of the code's own were over by then, and are in no stamp before."""
    outcome: Callable[[], object] | None = None
    """What lets the code know."""

    def __init__(self, order: Line, alone: int, name: str) -> None:
        self._order = order
        self.alone = alone
        """How many calls there were with this one, if nothing else was under way; else 0."""
        self.name = name
        """The step or the wait, "" for a step that is not recorded."""

    def claim(self) -> str:
        """Number it, as it has just happened; returns the stamp to record, "" for none.

        From any thread.
        """
        return self._order.claim(self)

    def is_next(self) -> bool:
        """Tell whether the code may know now, which it does then; on the loop."""
        order = self._order
        if order.pass_alone(self):
            return True
        if self.number < 0 and self.stamp is None:
            order.claim(self)
        return order.pass_at_once(self)

    def deliver(self, deliver: Callable[[], object], *, soon: bool = False) -> None:
        """Let it become known by a call of `deliver`, when it is its turn; on the loop.

        With `soon` not before the caller has returned, which may be the code itself.
        """
        self.outcome = deliver
        self._order.line_up(self, soon=soon)

    async def caught_up(self) -> None:
        """Return when a replay is over: what has happened since becomes known after the record."""
        try:
            await self._order.caught_up()
        except asyncio.CancelledError:
            self.drop()
            raise

    async def turn(self) -> None:
        """Return when it is its turn."""
        if self.is_next():
            return
        try:
            await self.later()
        except asyncio.CancelledError:
            self.drop()
            raise

    def later(self) -> Turn:
        """Return what resolves when it is its turn, which it is not yet."""
        turn = self._order.future()
        self.deliver(turn.come)
        return turn

    def cancel_asked(self) -> None:
        """Count that the code has asked to cancel the step."""
        if not self.cancels:
            self._order.cancelled(self)
        self.cancels += 1

    @contextmanager
    def watching(self, task: asyncio.Task[Any] | None) -> Generator[None]:
        """Count the requests to cancel a task meanwhile, whose code is the step."""
        if not isinstance(task, WatchedTask):
            if task is not None:
                self.plain_task, self.cleans_up = (task, task.cancelling()), True
            yield
            return
        task.places = (*task.places, self)
        try:
            yield
        finally:
            task.places = tuple(each for each in task.places if each is not self)

    def requests(self) -> int:
        """Return how often the code has asked to cancel the step."""
        if self.plain_task is None:
            return self.cancels
        task, before = self.plain_task
        return max(task.cancelling() - before, 0)

    def expect(self, stamp: Stamp) -> None:
        """Let what comes later on the record wait until it has ended again."""
        self.stamp, self.is_awaited = stamp, True
        self._order.expect(self, stamp)

    def drop(self) -> None:
        """Let it never become known: its caller has given it up."""
        self.is_dropped = True
        self._order.leave(self)
