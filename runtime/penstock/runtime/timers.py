"""The times that a run's code waits for, and how they outlive the process."""

from __future__ import annotations

__all__ = ["Timers", "retry_timer"]

import threading
from collections.abc import Mapping
from typing import Final

from penstock.runtime.errors import Suspend
from penstock.runtime.journal import Journal

MARK: Final = ":"
"""First character of the checkpoints that say when a timer is due, in ms by Redis's clock.

No step's id begins so, but for a task without a name.
"""


class Timers:
    """The timers of one attempt: each begins once in a run, however often its code is replayed."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lock = threading.Lock()
        self._begun: dict[str, float] = {}
        self._awaited: dict[str, str] = {}

    def begin(self, name: str, seconds: float) -> float:
        """Return how long a timer still has, in seconds; it begins now if it has not yet."""
        due = self._due(name)
        if due is None:
            due = self._journal.now() + seconds * 1000
            with self._lock:
                self._begun[name] = due
            self._journal.keep(f"{MARK}{name}", f"{due:.0f}")
        return (due - self._journal.now()) / 1000

    def has_begun(self, name: str) -> bool:
        """Tell whether a timer has begun, in this attempt or an earlier one."""
        return self._due(name) is not None

    def pause(self, name: str, step_id: str, seconds: float) -> float:
        """As `begin`, for code that has nothing else to do meanwhile.

        Raises:
            Suspend: the wait is too long to hold the process for it.
        """
        left = self.begin(name, seconds)
        if left > self._journal.patience:
            self.wake_at(name, step_id)
            raise Suspend(f"step {step_id!r} goes on in {left:.1f} s")
        return left

    def wake_at(self, name: str, step_id: str) -> None:
        """Let the run come back when a timer is due, if it leaves the process before."""
        with self._lock:
            self._awaited[name] = step_id

    @property
    def awaiting(self) -> Mapping[str, str]:
        """The steps that wait for a timer, by its name."""
        return self._awaited

    @property
    def wakes(self) -> float | None:
        """When the first timer that is waited for is due, in ms by Redis's clock; None for none."""
        return min((self._due(name) or 0.0 for name in tuple(self._awaited)), default=None)

    def of_retries(self, step_id: str) -> tuple[str, ...]:
        """Name the checkpoints of a step's retries."""
        names: list[str] = []
        while self.has_begun(name := retry_timer(step_id, len(names) + 2)):
            names.append(f"{MARK}{name}")
        return tuple(names)

    def _due(self, name: str) -> float | None:
        if name in self._begun:
            return self._begun[name]
        text = self._journal.recorded(f"{MARK}{name}")
        return float(text) if text is not None else None


def retry_timer(step_id: str, tries: int) -> str:
    """Name the timer after which a step is tried for the n-th time."""
    return f"{step_id}#{tries}"
