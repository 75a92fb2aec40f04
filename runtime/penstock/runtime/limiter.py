"""How many bodies run at once: those that wait for steps of their own do not count."""

from __future__ import annotations

__all__ = ["Limiter"]

from collections import deque
from threading import Lock
from typing import Protocol

from penstock.runtime.perform import Step


class Seat(Protocol):
    """A step that wants to run, and how it begins."""

    @property
    def step(self) -> Step:
        """The step itself."""
        ...

    def begin(self) -> None:
        """Start its body; must not block."""
        ...


class Limiter:
    """Lets at most `limit` bodies run, counting only those without unfinished steps.

    So a parent that waits never keeps a child out, at any depth and with a limit of one.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._running = 0
        self._queue: deque[Seat] = deque()
        self._lock = Lock()

    def enter(self, seat: Seat) -> None:
        """Begin now, or when there is room."""
        with self._lock:
            parent = _parent(seat)
            if parent is not None:
                parent.children += 1
                self._uncount(parent)
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
        begin: list[Seat] = []
        with self._lock:
            self._uncount(seat.step)
            parent = _parent(seat)
            if parent is not None:
                parent.children -= 1
                if parent.children == 0 and parent.id:
                    self._count(parent)
            while self._queue and self._running < self._limit:
                following = self._queue.popleft()
                self._count(following.step)
                begin.append(following)
        for following in begin:
            following.begin()

    def _count(self, step: Step) -> None:
        if not step.counted:
            step.counted = True
            self._running += 1

    def _uncount(self, step: Step) -> None:
        if step.counted:
            step.counted = False
            self._running -= 1


def _parent(seat: Seat) -> Step | None:
    parent = seat.step.parent
    return parent.step if parent is not None else None
