"""What an attempt has written and Redis has not stored yet. No IO, no lock of its own."""

from __future__ import annotations

__all__ = ["Backlog"]

from collections import deque
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Final

from penstock.runtime.journal.endings import Ending
from penstock.runtime.journal.put import Put
from penstock.runtime.redis.calls import Write

WEIGHT: Final = 256 * 1024
"""Bytes of one write, about: what Redis stores in a few milliseconds."""

AHEAD: Final = 128
"""Full writes that may wait for Redis before code in a thread has to wait too."""

ENTRY: Final = 128
"""What an event weighs besides its text."""

_VALUE: Final = attrgetter("value")


class Backlog:
    """Writes in order: one on its way, full ones behind it, and the one that is being filled.

    With `withholds`, checkpoints stay back until they are released.
    """

    def __init__(self, *, withholds: bool) -> None:
        self._withholds = withholds
        self._withheld: dict[str, str] = {}
        self._filling = Write(1)
        self._weight = 0
        self._full: deque[Write] = deque()
        self._sent: Write | None = None

    def keep(self, field: str, text: str) -> None:
        """Add a checkpoint."""
        (self._withheld if self._withholds else self._filling.checkpoints)[field] = text

    def add(self, stored: str, published: str, field: str = "", outcome: str = "") -> bool:
        """Add an event, and the checkpoint it tells of, to one write; to a new one if that is full.

        Returns whether more waits for Redis now than code in a thread may add to.
        """
        if self._weight > WEIGHT:
            self._turn_over()
        filling = self._filling
        if outcome:
            (self._withheld if self._withholds else filling.checkpoints)[field] = outcome
        filling.events += (stored, published)
        self._weight += ENTRY + len(stored) + len(outcome)
        return len(self._full) > AHEAD

    def put(
        self,
        puts: Sequence[Put],
        checkpoints: Mapping[str, str],
        events: Sequence[tuple[str, str]],
    ) -> bool:
        """Add what is stored of a graph, checkpoints and events to one write, as `add` does."""
        if self._weight > WEIGHT:
            self._turn_over()
        filling = self._filling
        filling.puts += puts
        if checkpoints:
            filling.checkpoints |= checkpoints
        for event in events:
            filling.events += event
            self._weight += ENTRY + len(event[0])
        self._weight += sum(map(len, map(_VALUE, puts)))
        return len(self._full) > AHEAD

    def ask(self, questions: Mapping[str, str | None]) -> None:
        """Add what the code asks now: id -> encoded question, None where it is open no more."""
        self._filling.questions |= questions

    def release(self) -> None:
        """Let go what was withheld."""
        self._filling.checkpoints |= self._withheld
        self._withheld = {}

    def end(self, ending: Ending, checkpoints: Mapping[str, str]) -> None:
        """Add the ending, with what is stored together with it."""
        self._filling.checkpoints |= checkpoints
        self._filling.ending = ending

    @property
    def is_filled(self) -> bool:
        """Whether anything waits to be sent."""
        return bool(self._full or not self._filling.is_empty)

    @property
    def is_empty(self) -> bool:
        """Whether all is stored."""
        return self._sent is None and not self.is_filled

    @property
    def is_beginning(self) -> bool:
        """Whether it holds one event and nothing else, the first of the attempt."""
        write = self._filling
        has_more = write.checkpoints or write.puts or write.questions or write.ending
        return write.number == 1 and len(write.events) == 2 and not has_more

    @property
    def last(self) -> int | None:
        """The number of the newest write that is not stored yet, None for none."""
        if not self._filling.is_empty:
            return self._filling.number
        newest = self._full[-1] if self._full else self._sent
        return newest.number if newest is not None else None

    def due(self) -> Write | None:
        """Return the write that is to be sent, the same until it is stored; None for none."""
        if self._sent is None and self.is_filled:
            if not self._full:
                self._turn_over()
            self._sent = self._full.popleft()
        return self._sent

    def stored(self) -> Write:
        """Forget the write that was on its way, and return it."""
        assert self._sent is not None
        stored, self._sent = self._sent, None
        return stored

    def _turn_over(self) -> None:
        """Let what is added from here on go into another write."""
        self._full.append(self._filling)
        self._filling, self._weight = Write(self._filling.number + 1), 0
