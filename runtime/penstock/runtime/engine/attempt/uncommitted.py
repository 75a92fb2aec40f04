"""The first event of each step that has no recorded outcome yet: void, if the step runs again."""

from __future__ import annotations

__all__ = ["UncommittedEvents"]

import threading


class UncommittedEvents:
    """By step, "" for the body, the seq of the first event that a new try would write again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.by_step: dict[str, int] = {}
        """What is noted now; to look at from anywhere, to change by the methods alone."""
        self._ended: set[str] = set()

    def add(self, step_id: str, seq: int) -> None:
        """Note an event of a step; a seq of 0 was written nowhere."""
        if seq and step_id not in self.by_step:
            with self._lock:
                self.by_step.setdefault(step_id, seq)

    def take_back(self, step_id: str) -> int | None:
        """Forget the events of a step, as they are void; returns the seq of the first, if any."""
        if step_id not in self.by_step:
            return None
        with self._lock:
            self._ended.discard(step_id)
            return self.by_step.pop(step_id, None)

    def keep(self, step_id: str) -> None:
        """Forget the events of a step and of those below it, as it is recorded: they stay."""
        with self._lock:
            self.by_step.pop(step_id, None)
            for below in self._below(step_id):
                del self.by_step[below]

    def end(self, step_id: str) -> None:
        """Note that a step is not executing any more."""
        if step_id in self.by_step:
            self._ended.add(step_id)

    def ended_below(self, step_id: str) -> list[str]:
        """Return the steps below that have written events and came to nothing.

        Those that are still at work may yet be recorded.
        """
        with self._lock:
            return [below for below in self._below(step_id) if below in self._ended]

    def _below(self, step_id: str) -> list[str]:
        return [each for each in self.by_step if each and _is_below(each, step_id)]


def _is_below(step_id: str, above: str) -> bool:
    return not above or step_id.startswith(f"{above}/")
