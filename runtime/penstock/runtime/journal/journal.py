"""The journal of an attempt, to which it writes its events and outcomes."""

from __future__ import annotations

__all__ = ["Journal", "NoJournal"]

import math
import threading
import time
from collections.abc import Collection, Mapping
from typing import Protocol

from penstock.runtime.journal.endings import Ending
from penstock.runtime.journal.fact import Fact
from penstock.runtime.journal.remote_call import RemoteCall


class Journal(Protocol):
    """One attempt's record: read at its start, written in order, closed by an ending."""

    @property
    def stores(self) -> bool:
        """Whether anything is kept; if not, nothing needs to be encoded."""
        ...

    @property
    def patience(self) -> float:
        """Seconds that a wait may hold the process; a longer one leaves it and comes back."""
        ...

    def now(self) -> float:
        """Return the time, in ms by the clock of what keeps the run."""
        ...

    def recorded(self, field: str) -> str | bytes | None:
        """Return what earlier attempts recorded under a step's id or an answer's name."""
        ...

    def fields(self) -> Collection[str]:
        """Return the names of all that earlier attempts recorded."""
        ...

    @property
    def epoch(self) -> int:
        """How many times the run has been claimed."""
        ...

    @property
    def seq(self) -> int:
        """The seq of the newest fact."""
        ...

    @property
    def has_past(self) -> bool:
        """Whether earlier attempts have written any events."""
        ...

    def unfinished(self) -> Mapping[str, int]:
        """Return the steps that earlier attempts did not finish: step id -> seq of its first event.

        The id of the body is "".

        Raises:
            LeaseLostError: another attempt owns the run.
        """
        ...

    def append(self, fact: Fact, text: str, outcome: str = "") -> int:
        """Add a fact with its encoded data, and the outcome it refers to; stored soon, in order.

        Returns the seq that it has, or will have.
        """
        ...

    def keep(self, field: str, text: str) -> None:
        """Add a checkpoint that no fact tells of; stored with what comes next."""
        ...

    def mark(self, field: str, text: str) -> None:
        """Do the same as `keep`, without an error: for callbacks of the loop.

        The attempt learns in another way that nothing can be stored any more.
        """
        ...

    def sends(self, queue: str) -> bool:
        """Return whether the steps of a queue are performed by others than this process."""
        ...

    def sent(self, step_id: str) -> bytes | None:
        """Return the arguments of a step that this run has sent, where it was under way."""
        ...

    def send(self, call: RemoteCall) -> str:
        """Have a step performed elsewhere, once all that was appended is stored.

        Returns `!<status> <reason>` if nothing came of it, "" if it is under way or recorded.

        Raises:
            LeaseLostError: another attempt owns the run.
        """
        ...

    def flush(self) -> None:
        """Return when all that was appended is stored.

        Raises:
            LeaseLostError: another attempt owns the run.
        """
        ...

    async def aflush(self) -> None:
        """As `flush`, without blocking the event loop."""
        ...

    def close(self, ending: Ending) -> None:
        """Let the next flush store the ending, together with everything that is not stored yet."""
        ...

    def fail(self, error: BaseException) -> None:
        """Refuse whatever is still written: the lease is lost."""
        ...


class NoJournal:
    """Keeps nothing: for runs without a checkpointer."""

    stores = False
    patience = math.inf
    has_past = False
    epoch = 1

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.seq = 0

    def now(self) -> float:
        """Return the time by this machine's clock."""
        return time.time() * 1000

    def recorded(self, field: str) -> None:
        """Return None: nothing was recorded."""

    def fields(self) -> Collection[str]:
        """Return nothing."""
        return ()

    def unfinished(self) -> Mapping[str, int]:
        """Return nothing: there were no earlier attempts."""
        return {}

    def append(self, fact: Fact, text: str, outcome: str = "") -> int:
        """Count the fact, and drop it."""
        with self._lock:
            self.seq += 1
            return self.seq

    def keep(self, field: str, text: str) -> None:
        """Drop the checkpoint."""

    def mark(self, field: str, text: str) -> None:
        """Drop the checkpoint."""

    def sends(self, queue: str) -> bool:
        """Return that all steps are executed here."""
        return False

    def sent(self, step_id: str) -> bytes | None:
        """Return that none was."""
        return None

    def send(self, call: RemoteCall) -> str:
        """Refuse: there are no other workers."""
        raise AssertionError(f"step {call.step_id!r} is performed here")

    def flush(self) -> None:
        """Return at once."""

    async def aflush(self) -> None:
        """Return at once."""

    def close(self, ending: Ending) -> None:
        """Forget the run."""

    def fail(self, error: BaseException) -> None:
        """Do nothing: there is no lease."""
