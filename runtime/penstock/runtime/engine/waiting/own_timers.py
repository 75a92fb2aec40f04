"""The timers that code of a run begins by itself: `asyncio.sleep`, `asyncio.timeout`, `call_later`.

Each has a name, the same in every attempt: what it calls, in which branch it began, and after how
many calls of that. Which of them were over before the code got to know something stands in the
stamp of that. So a replay lets them be over in the same places, whatever time they take.
"""

from __future__ import annotations

__all__ = [
    "OwnTimer",
    "OwnTimers",
    "PastTimer",
    "TimerName",
    "name_in",
    "read",
    "stamp_with_timers",
    "tag",
]

import asyncio
import contextvars
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple, Protocol

from penstock.runtime.engine.waiting.cancel_mark import CancelMark
from penstock.runtime.engine.waiting.place import Line, Place
from penstock.runtime.engine.waiting.stamp import MARK, Stamp

_RANGE: Final = r"[0-9a-f]+_\d+(?:-\d+)?"
_STAMP: Final = re.compile(rf"\d+\.\d+\.\d+\.[0-9a-f]+~{_RANGE}(?:,{_RANGE})*(?:\.x)?")

MOST: Final = 1_000_000
"""Timers that one stamp may name."""


class TimerName(NamedTuple):
    """What a timer is known by in its scope."""

    place: str
    """Stands for what it calls, the branch, and the number of calls before it."""
    number: int
    """How many of the same place have begun before it."""


class Caller(Protocol):
    """The branch that begins a timer."""

    prefix: str
    calls: int
    """How many calls it has made."""
    timers: tuple[int, dict[str, int]]
    """After how many calls it has begun its last timers, and how many, by what they call."""


class OwnTimer(asyncio.TimerHandle):
    """A timer of a run's code, in place of the one that the loop would give."""

    def __init__(
        self,
        timers: OwnTimers,
        scope: Any,
        name: TimerName,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop,
        context: contextvars.Context,
    ) -> None:
        super().__init__(when, callback, args, loop, context)
        self.timers = timers
        self.scope = scope
        self.name = name
        self.inner: asyncio.TimerHandle | None = None
        """The loop's own."""
        self.place: Place | None = None
        """Its place in the order, once its time is over."""
        self.forget: Callable[[], object] = bool
        """Called when nobody waits for it any more."""
        timers.pending[name] = self

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    @property
    def is_over(self) -> bool:
        """Whether nobody waits for it any more: it was called, or cancelled."""
        return self.timers.pending.get(self.name) is not self

    def cancel(self) -> None:
        """Let it never be over."""
        asyncio.Handle.cancel(self)
        self._forget()
        if self.place is not None:
            self.place.drop()

    def run(self) -> None:
        """Call what is to be called when it is over."""
        self._forget()
        if not self.cancelled():
            self._run()

    def _forget(self) -> None:
        if not self.is_over:
            del self.timers.pending[self.name]
        if self.inner is not None:
            self.inner.cancel()
        self.forget()


class OwnTimers:
    """The timers of one scope's code."""

    __slots__ = ("_over", "_tag", "pending")

    def __init__(self, step_id: str) -> None:
        self._tag = tag(step_id)
        self.pending: dict[TimerName, OwnTimer] = {}
        """Those that have begun and are not over."""
        self._over: list[TimerName] = []

    def over(self, name: TimerName) -> None:
        """Take note that a timer is over, for the next stamp."""
        self._over.append(name)

    def written(self) -> str:
        """Return what a stamp says of those that are over and in no stamp yet, "" for none."""
        if not self._over:
            return ""
        over, self._over = self._over, []
        return f"{self._tag}{MARK}{','.join(_ranges(over))}"


class PastTimer(Place):
    """The turn of a timer that was over in an earlier attempt."""

    def __init__(self, order: Line, timer: TimerName, stamp: Stamp) -> None:
        super().__init__(order, 0, "")
        self.timer = timer
        self.stamp = stamp

    def is_before(self, place: Place) -> bool:
        """Tell whether its turn comes before that of a place on the record."""
        return self.stamp is not None and place.stamp is not None and self.stamp < place.stamp


def name_in(branch: Caller, callback: Callable[..., object]) -> TimerName:
    """Name the timer that a branch begins now."""
    what = getattr(callback, "__qualname__", type(callback).__qualname__)
    calls, begun = branch.timers
    if calls != branch.calls:
        begun = {}
        branch.timers = branch.calls, begun
    number = begun.get(what, 0)
    begun[what] = number + 1
    return TimerName(tag(f"{branch.prefix} {branch.calls} {what}"), number)


def tag(text: str) -> str:
    """Return what stands for a scope, or the place of a timer, where timers are written."""
    return f"{zlib.crc32(text.encode(errors='surrogatepass')):x}"


def stamp_with_timers(recorded: str | bytes) -> Stamp | None:
    """Return the stamp in the outcome of a step, or in a mark, if it tells of timers."""
    text = recorded.decode("utf-8", "replace") if isinstance(recorded, bytes) else recorded
    if MARK not in text:
        return None
    if (cancelled := CancelMark.read(text)) is not None:
        text = cancelled.stamp
    if text.endswith('"}'):
        text = text[:-2].rpartition('"at":"')[2]
    return Stamp.read(text) if _STAMP.fullmatch(text) else None


def read(stamp: Stamp) -> Iterator[tuple[Stamp, TimerName]]:
    """Give the timers that were over before a stamp, each with its own."""
    names: list[TimerName] = []
    for part in stamp.timers.partition(MARK)[2].split(","):
        place, _, numbers = part.partition("_")
        first, _, last = numbers.partition("-")
        count = int(last or first) - int(first) + 1
        if len(names) + count > MOST:
            return
        names += [TimerName(place, number) for number in range(int(first), int(first) + count)]
    for index, name in enumerate(names):
        # Before what has the stamp itself: that counts at least one call.
        yield Stamp(stamp.attempt, stamp.number, index - len(names)), name


def _ranges(names: list[TimerName]) -> Iterator[str]:
    first = last = names[0]
    for name in [*names[1:], None]:
        if name is not None and name == (last.place, last.number + 1):
            last = name
            continue
        more = f"-{last.number}" if last.number > first.number else ""
        yield f"{first.place}_{first.number}{more}"
        if name is not None:
            first = last = name
