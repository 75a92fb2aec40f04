"""How many bodies run at once: those that wait for steps of their own do not count."""

from __future__ import annotations

__all__ = ["Limiter", "Seat"]

from collections import deque
from threading import Lock
from typing import Protocol


class Counted(Protocol):
    """A step, as far as it counts among those that run."""

    children: int
    """How many steps that it has called have not ended."""
    counted: bool
    """Whether it is one of those that run."""
    ended: bool

    @property
    def caller(self) -> Counted | None:
        """The step that it was called in."""
        ...


class Seat(Protocol):
    """A step that wants to run, and how it begins."""

    @property
    def step(self) -> Counted:
        """The step itself."""
        ...

    def begin(self) -> None:
        """Start its body; must not block."""
        ...


class Limiter:
    """Lets at most `limit` bodies run, counting only those without unfinished steps.

    So a parent that waits never keeps a child out, at any depth and with a limit of one. What a
    nested entrypoint calls counts for the step it was called in; the body of the run counts for
    none.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._running = 0
        self._queue: deque[Seat] = deque()
        self._lock = Lock()

    def enter(self, seat: Seat) -> None:
        """Begin now, or when there is room."""
        with self._lock:
            caller = seat.step.caller
            if caller is not None:
                caller.children += 1
                self._uncount(caller)
            if self._running >= self._limit:
                self._queue.append(seat)
                return
            self._count(seat.step)
        seat.begin()

    def pull(self, seat: Seat) -> bool:
        """Let a seat that still waits in the queue run in the caller's thread, if there is room."""
        with self._lock:
            if seat.step.counted:
                return True
            if self._running >= self._limit or seat not in self._queue:
                return False
            self._queue.remove(seat)
            self._count(seat.step)
            return True

    def leave(self, seat: Seat) -> None:
        """Make room after a body has ended, or was dropped before it began."""
        with self._lock:
            self._uncount(seat.step)
            seat.step.ended = True
            if seat in self._queue:
                self._queue.remove(seat)
            caller = seat.step.caller
            if caller is not None:
                caller.children -= 1
                if caller.children == 0 and not caller.ended:
                    self._count(caller)
            begin = self._next()
        for following in begin:
            following.begin()

    def rest(self, step: Counted) -> bool:
        """Make room while a body waits for what comes from outside of the run.

        Returns whether it had a place, and is to `go_on`.
        """
        with self._lock:
            if not step.counted:
                return False
            self._uncount(step)
            begin = self._next()
        for following in begin:
            following.begin()
        return True

    def go_on(self, step: Counted) -> None:
        """Count a body again that has waited, also where there is no room left."""
        with self._lock:
            if not step.ended and step.children == 0:
                self._count(step)

    def _next(self) -> list[Seat]:
        begin: list[Seat] = []
        while self._queue and self._running < self._limit:
            following = self._queue.popleft()
            self._count(following.step)
            begin.append(following)
        return begin

    def _count(self, step: Counted) -> None:
        if not step.counted:
            step.counted = True
            self._running += 1

    def _uncount(self, step: Counted) -> None:
        if step.counted:
            step.counted = False
            self._running -= 1
