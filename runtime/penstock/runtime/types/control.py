"""How a run is asked, from outside of its code, to stop at its next step."""

from __future__ import annotations

__all__ = ["RunControl"]

import threading
from collections.abc import Callable


class RunControl:
    """Asks the runs it is given to, `invoke(..., control=control)`, to stop; from any thread.

    A run that drains stops at its next step and goes on when it is invoked with None. On workers
    each run has one of its own, which says that the worker is about to end.
    """

    def __init__(self) -> None:
        self._reason: str | None = None
        self._watchers: list[Callable[[str], None]] = []
        self._lock = threading.Lock()

    def request_drain(self, reason: str = "drain requested") -> None:
        """Ask for it; what counts is the first reason."""
        with self._lock:
            if self._reason is not None:
                return
            self._reason = reason
            watchers = tuple(self._watchers)
        for tell in watchers:
            tell(reason)

    @property
    def drain_requested(self) -> bool:
        """Whether it was asked for."""
        return self._reason is not None

    @property
    def drain_reason(self) -> str | None:
        """Why it was asked for."""
        return self._reason

    def watch(self, tell: Callable[[str], None]) -> None:
        """Call `tell` with the reason once it is asked for, at once if it was."""
        with self._lock:
            reason = self._reason
            self._watchers.append(tell)
        if reason is not None:
            tell(reason)

    def forget(self, tell: Callable[[str], None]) -> None:
        """Undo one `watch`."""
        with self._lock:
            self._watchers.remove(tell)
