"""The times that a run's code waits for, and how they outlive the process."""

from __future__ import annotations

__all__ = ["Timers", "retry_timer"]

import threading

from penstock.runtime.engine.waiting.waits import Wait, Waits
from penstock.runtime.errors import Suspend
from penstock.runtime.journal.checkpoint_names import TIMER
from penstock.runtime.journal.journal import Journal


class Timers:
    """The timers of one attempt: each begins once in a run, however often its code is replayed."""

    def __init__(self, journal: Journal, waits: Waits) -> None:
        self._journal = journal
        self._waits = waits
        self._lock = threading.Lock()
        self._begun: dict[str, float] = {}

    def begin(self, name: str, seconds: float) -> float:
        """Return how long a timer still has, in seconds; it begins now if it has not yet."""
        due = self.due(name)
        if due is None:
            due = self._journal.now() + seconds * 1000
            with self._lock:
                self._begun[name] = due
            self._journal.keep(f"{TIMER}{name}", f"{due:.0f}")
        return (due - self._journal.now()) / 1000

    def has_begun(self, name: str) -> bool:
        """Tell whether a timer has begun, in this attempt or an earlier one."""
        return self.due(name) is not None

    def wait(self, name: str, step_id: str) -> Suspend:
        """Let the run come back when a timer is due; returns what leaves the process until then."""
        due = self.due(name)
        assert due is not None
        self._waits.add(Wait(name, "timer", step_id, due))
        left = (due - self._journal.now()) / 1000
        what = f"step {step_id!r}" if step_id else "the run"
        return Suspend(f"{what} goes on in {left:.1f} s", name)

    def of_retries(self, step_id: str) -> tuple[str, ...]:
        """Name the checkpoints of a step's retries."""
        names: list[str] = []
        while self.has_begun(name := retry_timer(step_id, len(names) + 2)):
            names.append(f"{TIMER}{name}")
        return tuple(names)

    def due(self, name: str) -> float | None:
        """Return when a timer is over, in ms by Redis's clock; None if it has not begun."""
        if name in self._begun:
            return self._begun[name]
        text = self._journal.recorded(f"{TIMER}{name}")
        return float(text) if text is not None else None


def retry_timer(step_id: str, tries: int) -> str:
    """Name the timer after which a step is tried for the n-th time."""
    return f"{step_id}#{tries}"
