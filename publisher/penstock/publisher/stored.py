"""The stored list of a run's events, and how to read a part of it. No IO."""

from __future__ import annotations

__all__ = ["Command", "Part", "Plan", "Stored", "event_of", "read", "read_all"]

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

from penstock.publisher.errors import CodecError

T = TypeVar("T")

Command: TypeAlias = "tuple[str | int, ...]"
Plan: TypeAlias = Generator[Command, Any, T]
Stored: TypeAlias = "tuple[int, bytes]"
"""An event as it is stored: its seq, and the text of its JSON object."""

PAGE: Final = 200
"""Events in one reply, where all are read."""


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a list that a reader wants: `count` events from seq `start` on.

    `dropped` is how many older events the list has lost at its front, as far as the reader knows:
    where it is right, one command reads the part.
    """

    start: int
    count: int
    dropped: int = 0

    @property
    def first(self) -> int:
        """Index of the first wanted item, if `dropped` is right."""
        return max(0, self.start - 1 - self.dropped)


def event_of(item: bytes) -> Stored:
    """Split an item of the list, `<seq> <JSON object>`.

    Raises:
        CodecError: there is no seq.
    """
    seq, _, text = item.partition(b" ")
    if not seq.isdigit():
        raise CodecError(f"an item in the list of a run's events has no seq: {item[:40]!r}")
    return int(seq), text


def read(key: str, part: Part) -> Plan[tuple[Sequence[Stored], int]]:
    """Plan to read a part of a list: the events, and how many older ones the list has lost.

    The first of them is the oldest that is kept where `start` is no longer there.
    """
    first, dropped = part.first, part.dropped
    while True:
        found = [event_of(item) for item in (yield _range(key, first, part.count))]
        if not found and first == 0:
            return (), 0
        if found:
            actual = found[0][0] - 1 - first
        else:
            oldest = yield _range(key, 0, 1)
            actual = event_of(oldest[0])[0] - 1 if oldest else dropped
        again = max(0, part.start - 1 - actual)
        if again == first:
            return found, actual
        first, dropped = again, actual


def read_all(key: str, take: Callable[[int, bytes], object]) -> Plan[None]:
    """Plan to hand the seq and text of each event to `take`, in order, until it returns True."""
    part = Part(1, PAGE)
    while True:
        found, dropped = yield from read(key, part)
        for seq, text in found:
            if take(seq, text) is True:
                return
        if len(found) < PAGE:
            return
        part = Part(found[-1][0] + 1, PAGE, dropped)


def _range(key: str, first: int, count: int) -> Command:
    return ("LRANGE", key, first, first + count - 1)
