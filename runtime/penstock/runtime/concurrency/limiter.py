"""How many bodies run at once: those that wait for steps of their own do not count."""

from __future__ import annotations

__all__ = ["Limiter", "Slot"]

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


class Slot(Protocol):
    """A step that waits to run, and the way to begin it."""

    @property
    def step(self) -> Counted:
        """The step itself."""
        ...

    def begin(self) -> None:
        """Start its body; must not block."""
        ...


class Limiter:
    """Lets at most `limit` bodies run, counting only those without unfinished steps.

    So a waiting parent never blocks a child, at any depth and with a limit of one. The calls of a
    nested entrypoint count for the step that called it; the body of the run does not count.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._running = 0
        self._queue: deque[Slot] = deque()
        self._lock = Lock()

    def enter(self, slot: Slot) -> None:
        """Begin now, or when the limit allows."""
        with self._lock:
            caller = slot.step.caller
            if caller is not None:
                caller.children += 1
                self._uncount(caller)
            if self._running >= self._limit:
                self._queue.append(slot)
                return
            self._count(slot.step)
        slot.begin()

    def pull(self, slot: Slot) -> bool:
        """Take a slot out of the queue, to run it in the caller's thread, if the limit allows."""
        with self._lock:
            if slot.step.counted:
                return True
            if self._running >= self._limit or slot not in self._queue:
                return False
            self._queue.remove(slot)
            self._count(slot.step)
            return True

    def leave(self, slot: Slot) -> None:
        """Free a slot after a body has ended, or was dropped before it began."""
        with self._lock:
            self._uncount(slot.step)
            slot.step.ended = True
            if slot in self._queue:
                self._queue.remove(slot)
            caller = slot.step.caller
            if caller is not None:
                caller.children -= 1
                if caller.children == 0 and not caller.ended:
                    self._count(caller)
            begin = self._next()
        for following in begin:
            following.begin()

    def rest(self, step: Counted) -> bool:
        """Free a slot while a body waits for something outside of the run.

        Returns whether the body was counted, and has to `go_on`.
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
        """Count a body again that has waited, even beyond the limit."""
        with self._lock:
            if not step.ended and step.children == 0:
                self._count(step)

    def _next(self) -> list[Slot]:
        begin: list[Slot] = []
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
