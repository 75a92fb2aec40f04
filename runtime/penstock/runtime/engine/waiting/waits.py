"""What the branches of an attempt wait for: answers, times, steps performed elsewhere."""

from __future__ import annotations

__all__ = ["Kind", "Wait", "Waits", "is_within"]

import threading
from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["question", "timer", "step", "drain"]


@dataclass(frozen=True, slots=True)
class Wait:
    """One wait: for an answer, a time, a step on another queue, or, in a drain, a next attempt."""

    name: str
    kind: Kind
    step_id: str
    """The step whose code waits, "" for the entrypoint's body."""
    due: float | None = None
    """When it is over by itself, in ms by Redis's clock; None where it is not."""


class Waits:
    """The open waits of one attempt, in the order in which they began; from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.by_name: dict[str, Wait] = {}
        """Those that are open; to look at from anywhere, to change by the methods alone."""
        self._is_settled = False
        self._drained = 0

    def __bool__(self) -> bool:
        return bool(self.by_name)

    def __contains__(self, name: str) -> bool:
        return name in self.by_name

    def add(self, wait: Wait) -> None:
        """Open a wait."""
        with self._lock:
            if not self._is_settled:
                self.by_name[wait.name] = wait

    def add_drained(self, step_id: str) -> str:
        """Open the wait of code that goes on in the next attempt; returns its name."""
        with self._lock:
            self._drained += 1
            name = f"drain {self._drained}"
            if not self._is_settled:
                self.by_name[name] = Wait(name, "drain", step_id)
        return name

    def withdraw(self, name: str) -> None:
        """Close a wait: it is over, or the branch that waited was cancelled."""
        with self._lock:
            if not self._is_settled:
                self.by_name.pop(name, None)

    def withdraw_below(self, step_id: str) -> None:
        """Close all waits of a step, and of the steps that it has called."""
        for wait in self.below(step_id):
            self.withdraw(wait.name)

    def settle(self) -> None:
        """Keep the waits as they are: the run leaves its process with them."""
        with self._lock:
            self._is_settled = True

    def of(self, kind: Kind) -> tuple[Wait, ...]:
        """Return the open waits of one kind."""
        with self._lock:
            return tuple(wait for wait in self.by_name.values() if wait.kind == kind)

    def below(self, step_id: str) -> tuple[Wait, ...]:
        """Return the waits of a step, and of the steps that it has called."""
        with self._lock:
            waits = tuple(self.by_name.values())
        return tuple(wait for wait in waits if is_within(wait.step_id, step_id))

    @property
    def due(self) -> float | None:
        """When the first wait is over by itself, in ms by Redis's clock; None where none is."""
        with self._lock:
            times = [wait.due for wait in self.by_name.values() if wait.due is not None]
        return min(times, default=None)


def is_within(step_id: str, above: str) -> bool:
    """Tell whether a step is another one, or was called in it; "" is the entrypoint's body."""
    return not above or step_id == above or step_id.startswith(f"{above}/")
