"""How many runs and jobs a worker executes, and how many more it may take."""

from __future__ import annotations

__all__ = ["Capacity"]

import threading


class Capacity:
    """Counts what a worker is executing; from any thread."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._busy = 0
        self._changed = threading.Condition()

    @property
    def busy(self) -> int:
        """How many are being executed."""
        return self._busy

    def free(self, timeout: float) -> int:
        """Return how many more may begin; if none may, wait first."""
        with self._changed:
            if self._busy >= self._size:
                self._changed.wait(timeout)
            return self._size - self._busy

    def wait(self, timeout: float) -> bool:
        """Wait until one ends; return whether any was being executed."""
        with self._changed:
            return self._busy > 0 and (self._changed.wait(timeout) or True)

    def enter(self, number: int) -> None:
        """Count some in."""
        with self._changed:
            self._busy += number

    def leave(self) -> None:
        """Count one out."""
        with self._changed:
            self._busy -= 1
            self._changed.notify()
