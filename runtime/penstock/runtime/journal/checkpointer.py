"""Storage of the runs of a thread, for an entrypoint that is invoked in this process."""

from __future__ import annotations

__all__ = ["Checkpointer", "Opening", "Order"]

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from penstock.publisher.codec.codec import Codec
from penstock.runtime.errors import Stop
from penstock.runtime.journal.assignment import Assignment
from penstock.runtime.journal.journal import Journal
from penstock.runtime.journal.result import Result
from penstock.runtime.types.cache import Cache
from penstock.runtime.types.durability import Durability
from penstock.runtime.types.state import CheckpointRef, StateSnapshot, Update


@dataclass(frozen=True, slots=True)
class Order:
    """The request of a caller: an entrypoint, a thread, and an input, None or a Command."""

    entrypoint: str
    thread_id: str
    argument: Any
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    context: Any = None
    store: Any = None
    cache: Cache | None = None
    durability: Durability = "async"
    hold: bool = False
    """That new input only makes a run, which None as the input lets begin."""
    is_accepted: bool = False
    """Whether it matters that input and context are validated already, and not to be once more."""


@dataclass(frozen=True, slots=True)
class Opening:
    """The reply to an order: an attempt to execute, or a result that is already there."""

    assignment: Assignment
    journal: Journal
    argument: Any
    result: Result | None = None
    value: Any = None
    """The thread's result slot, where a run goes on."""
    is_accepted: bool = True
    """Whether the argument is validated."""


class Checkpointer(Protocol):
    """Keeps runs and threads; opens and closes the attempts of in-process runs."""

    @property
    def codec(self) -> Codec:
        """How values are written."""
        ...

    def open(self, order: Order) -> Opening:
        """Begin a run, or go on with the one that waits.

        Raises:
            EmptyInputError: nothing to run and nothing to resume.
            ResumeError: the Command answers nothing that is asked.
            ThreadBusyError: another process executes the thread's run.
        """
        ...

    def guard(self, journal: Journal, on_stop: Callable[[Stop], None]) -> None:
        """Keep an attempt's lease alive; another thread calls `on_stop` if it is to stop."""
        ...

    def release(self, journal: Journal) -> None:
        """Let go of an attempt's lease, however it ended."""
        ...

    def state(self, ref: CheckpointRef) -> StateSnapshot:
        """Return a thread's state at a checkpoint; an empty one if there is none."""
        ...

    def history(
        self, thread_id: str, before: str, wanted: Mapping[str, Any]
    ) -> tuple[list[StateSnapshot], str]:
        """Return a page of a thread's states, the newest first.

        `before` is a checkpoint's id ("" for the newest page), `wanted` metadata that must be
        equal; with the page comes the `before` of the next, "" where there is none.
        """
        ...

    def update(self, updates: Sequence[Update]) -> str:
        """Change a thread's state, one checkpoint an update; returns the id of the last."""
        ...
