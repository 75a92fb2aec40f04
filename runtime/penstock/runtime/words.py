"""What the steps of an attempt have said and is not recorded: void, if they are executed again."""

from __future__ import annotations

__all__ = ["Words"]

import threading


class Words:
    """For each step, "" for the body, the seq of its first word that would be said again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._first: dict[str, int] = {}
        self._ended: set[str] = set()

    def said(self, step_id: str, seq: int) -> None:
        """Take note that a step has said something; a seq of 0 was heard by nobody."""
        if seq and step_id not in self._first:
            with self._lock:
                self._first.setdefault(step_id, seq)

    def take_back(self, step_id: str) -> int | None:
        """Forget what a step has said, as it is void; returns the seq of its first word, if any."""
        if step_id not in self._first:
            return None
        with self._lock:
            self._ended.discard(step_id)
            return self._first.pop(step_id, None)

    def keep(self, step_id: str) -> None:
        """Forget what a step, and those below it, have said: it is recorded, so that it stays."""
        if not self._first:
            return
        with self._lock:
            self._first.pop(step_id, None)
            for below in self._below(step_id):
                del self._first[below]

    def end(self, step_id: str) -> None:
        """Take note that a step is not executing any more."""
        if step_id in self._first:
            self._ended.add(step_id)

    def ended_below(self, step_id: str) -> list[str]:
        """Return the steps below that have said something and came to nothing.

        Those that are still at work may yet be recorded.
        """
        with self._lock:
            return [below for below in self._below(step_id) if below in self._ended]

    def _below(self, step_id: str) -> list[str]:
        return [each for each in self._first if each and _is_below(each, step_id)]


def _is_below(step_id: str, above: str) -> bool:
    return not above or step_id.startswith(f"{above}/")
