"""A request, from outside of a run's code, that the run stops at its next step."""

from __future__ import annotations

__all__ = ["RunControl"]

import threading
from collections.abc import Callable


class RunControl:
    """Asks runs with `invoke(..., control=control)` to stop at their next step; from any thread.

    A run that drains stops at its next step, and continues when it is invoked with None. On workers
    each run has a control of its own, by which it learns that the worker is about to end.
    """

    def __init__(self) -> None:
        self._reason: str | None = None
        self._watchers: list[Callable[[str], None]] = []
        self._lock = threading.Lock()

    def request_drain(self, reason: str = "drain requested") -> None:
        """Ask the runs to stop; the first reason counts."""
        with self._lock:
            if self._reason is not None:
                return
            self._reason = reason
            watchers = tuple(self._watchers)
        for callback in watchers:
            callback(reason)

    @property
    def drain_requested(self) -> bool:
        """Whether the runs were asked to stop."""
        return self._reason is not None

    @property
    def drain_reason(self) -> str | None:
        """Why the runs were asked to stop."""
        return self._reason

    def watch(self, callback: Callable[[str], None]) -> None:
        """Call `callback` with the reason when the runs are asked to stop; at once if they were."""
        with self._lock:
            reason = self._reason
            self._watchers.append(callback)
        if reason is not None:
            callback(reason)

    def forget(self, callback: Callable[[str], None]) -> None:
        """Undo one `watch`."""
        with self._lock:
            self._watchers.remove(callback)
