"""Walks through the lists of runs, the newest first; see `facets.lua`. No IO.

A walk looks ahead, then passes what it has found: its place is always behind an entry, and lists of
runs that are over only grow. So a page never repeats or leaves out what stands in them.
"""

from __future__ import annotations

__all__ = [
    "HOUR",
    "EndedWalk",
    "Entry",
    "OpenWalk",
    "Part",
    "Walk",
    "parts_of",
]

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

from penstock.runtime.redis.keys import Keys
from penstock.runtime.redis.plans.requests import Plan, Reads
from penstock.runtime.redis.replies import scored
from penstock.runtime.types.run import RunStatus

HOUR: Final = 3_600_000
FEW: Final = 10_000
"""Runs up to which all that are in a status are read at once."""


@dataclass(frozen=True, slots=True)
class Part:
    """A list of the runs of a facet that ended in one hour, in one status."""

    hour: int
    status: RunStatus
    last: int
    facet: str

    @property
    def name(self) -> str:
        """Its name in the facet's set of lists."""
        return f"{self.hour}:{self.status}:{self.last}"

    def key(self, keys: Keys) -> str:
        """Return the name of its key."""
        return keys.over(f"{self.name}:{self.facet}")

    @classmethod
    def of(cls, name: str, facet: str) -> Part:
        """Read the name of a list."""
        hour, status, last = name.split(":")
        return cls(int(hour), RunStatus(status), int(last), facet)


@dataclass(frozen=True, slots=True)
class Entry:
    """A run in a list, and when it was created or ended (ms)."""

    run_id: str
    time: int
    part: Part | None = None
    """The list that it stands in; None for an open run."""
    is_of_thread: bool = False
    """Whether it stands in the history of a thread, whose time is none of the run's."""


class Walk(Protocol):
    """One way through the runs."""

    def look(self, count: int) -> Plan[list[Entry]]:
        """Read the next entries, at most so many; none at the end."""
        ...

    def skip(self, entries: Sequence[Entry]) -> None:
        """Go on behind entries that were looked at, the first ones."""
        ...

    def place(self) -> Any:
        """Return the place of the walk, as JSON has it."""
        ...


def parts_of(keys: Keys, facets: Sequence[str]) -> Plan[dict[Part, tuple[int, int]]]:
    """Read the lists of facets: their length, and how many of their entries hold no more."""
    ranges = [("ZRANGE", keys.over(facet), 0, -1, "WITHSCORES") for facet in facets]
    replies = yield Reads(ranges)
    less = {
        Part.of(name.decode(), facet): int(float(score))
        for facet, rows in zip(facets, replies, strict=True)
        for name, score in scored(rows)
    }
    lengths = yield Reads([("LLEN", part.key(keys)) for part in less])
    return {part: (length, less[part]) for part, length in zip(less, lengths, strict=True)}


class OpenWalk:
    """The open runs of facets, those that were created last first."""

    def __init__(
        self,
        keys: Keys,
        facets: Sequence[str],
        status: RunStatus | None,
        times: tuple[int, int | None],
        place: Any = None,
    ) -> None:
        self._keys = keys
        self._since, until = times
        self._highest = "+inf" if until is None else f"({until}"
        self._sets = [keys.open(facet) for facet in facets]
        self._status = status
        self._few: list[Entry] | None = None
        """All runs that are ahead, where few are in the status."""
        self._place: tuple[int, str] | None = (int(place[0]), str(place[1])) if place else None

    def look(self, count: int) -> Plan[list[Entry]]:
        """Read the next entries, at most so many; none at the end."""
        if self._status and self._few is None:
            self._few = yield from self._all(self._status)
        if self._few is not None:
            return self._few[:count]
        size, since = count + 1, self._since
        while True:
            highest = self._highest if self._place is None else self._place[0]
            found = yield Reads(
                [
                    ("ZREVRANGEBYSCORE", each, highest, since, "WITHSCORES", "LIMIT", 0, size)
                    for each in self._sets
                ]
            )
            entries = self._next(found, count)
            if entries or all(len(scored(rows)) < size for rows in found):
                return entries
            size *= 4  # so many were created in the same millisecond

    def skip(self, entries: Sequence[Entry]) -> None:
        """Go on behind entries that were looked at, the first ones."""
        if entries:
            self._place = entries[-1].time, entries[-1].run_id
        if self._few is not None:
            self._few = self._few[len(entries) :]

    def place(self) -> Any:
        """Return the place of the walk, as JSON has it."""
        return list(self._place) if self._place else []

    def _all(self, status: RunStatus) -> Plan[list[Entry] | None]:
        """Read all runs in a status that are ahead; None if there are many in it."""
        within = _set_of(self._keys, status)
        if (yield ("ZCARD", within)) > FEW:
            return None
        found = yield Reads(
            [("ZINTER", 2, each, within, "WEIGHTS", 1, 0, "WITHSCORES") for each in self._sets]
        )
        return self._next(found)

    def _next(self, found: Iterable[Any], count: int | None = None) -> list[Entry]:
        rows = {(int(score), name.decode()) for each in found for name, score in scored(each)}
        left = [row for row in rows if self._place is None or row < self._place]
        return [Entry(name, time) for time, name in sorted(left, reverse=True)[:count]]


class EndedWalk:
    """The runs of facets that are over, those that ended last first."""

    def __init__(
        self,
        keys: Keys,
        facets: Sequence[str],
        statuses: Iterable[RunStatus],
        times: tuple[int, int | None],
        place: Any = None,
    ) -> None:
        self._keys = keys
        self._facets = facets
        self._statuses = frozenset(statuses)
        since, until = times
        self._hours = since // HOUR, None if until is None else until // HOUR
        self._begin: tuple[int, dict[tuple[str, str], int]] | None = None
        """The hour to begin in, and how many entries are ahead in its lists."""
        if place:
            hour, lists = place
            ahead = {(str(name), facets[int(at)]): int(size) for name, at, size in lists}
            self._begin = int(hour), ahead
        self._left: dict[Part, int] | None = None
        """Entries of each list that are ahead, from its begin on."""

    def look(self, count: int) -> Plan[list[Entry]]:
        """Read the next entries, at most so many; none at the end."""
        left = self._left
        if left is None:
            parts = yield from parts_of(self._keys, self._facets)
            left = self._left = self._ahead({part: size for part, (size, _) in parts.items()})
        wanted: dict[Part, int] = {}
        enough, hour = 0, -1
        for part in sorted(left, key=lambda each: each.hour, reverse=True):
            if enough >= count and part.hour != hour:
                break
            if left[part]:
                wanted[part], hour = min(count, left[part]), part.hour
                enough += wanted[part]
        reads = [
            ("LRANGE", part.key(self._keys), left[part] - size, left[part] - 1)
            for part, size in wanted.items()
        ]
        found = (yield Reads(reads)) if reads else ()
        return self._merged(zip(wanted, found, strict=True), count)

    def skip(self, entries: Sequence[Entry]) -> None:
        """Go on behind entries that were looked at, the first ones."""
        left = self._left or {}
        for entry in entries:
            part = cast("Part", entry.part)
            left[part] -= 1
        if entries:
            hour = cast("Part", entries[-1].part).hour
            for part in left:
                if part.hour > hour:
                    left[part] = 0  # of entries that somebody has deleted with their list

    def place(self) -> Any:
        """Return the place of the walk, as JSON has it."""
        left = self._left or {}
        hour = max((part.hour for part, size in left.items() if size), default=None)
        if hour is None:
            return None
        lists = [
            [f"{part.status}:{part.last}", self._facets.index(part.facet), size]
            for part, size in left.items()
            if part.hour == hour
        ]
        return [hour, lists]

    def _ahead(self, sizes: Mapping[Part, int]) -> dict[Part, int]:
        """Return how many entries are ahead in each list, given their lengths."""
        since, until = self._hours
        ahead = {
            part: size
            for part, size in sizes.items()
            if part.status in self._statuses
            and part.hour >= since
            and (until is None or part.hour <= until)
        }
        if not self._begin:
            return ahead
        hour, seen = self._begin
        for part, size in ahead.items():
            if part.hour > hour:
                ahead[part] = 0
            elif part.hour == hour:
                ahead[part] = min(size, seen.get((f"{part.status}:{part.last}", part.facet), 0))
        return ahead

    def _merged(self, found: Iterable[tuple[Part, Any]], count: int) -> list[Entry]:
        """Put the entries of lists in order; each list keeps its own, even if the clock went back.

        Of a list that is gone meanwhile there is nothing, and nothing of it is ahead.
        """
        hours: dict[int, list[Iterator[Entry]]] = {}
        for part, texts in found:
            if not texts and self._left:
                self._left[part] = 0
            hours.setdefault(part.hour, []).append(_entries(part, texts))
        merged: list[Entry] = []
        for lists in hours.values():
            merged += heapq.merge(*lists, key=lambda each: each.time, reverse=True)
        return merged[:count]


def _set_of(keys: Keys, status: RunStatus) -> str:
    """Return the sorted set that has the runs in an open status, perhaps with remote steps."""
    sets = {RunStatus.QUEUED: keys.ready, RunStatus.RUNNING: keys.leases}
    return sets.get(status, keys.open("suspended"))


def _entries(part: Part, texts: Sequence[bytes]) -> Iterator[Entry]:
    for text in reversed(texts):
        yield Entry(text[6:].decode(), part.hour * HOUR + int(text[:6], 16), part)
