"""Finds runs by what is known of them, and counts them, as plans without IO."""

from __future__ import annotations

__all__ = ["SearchPlans", "Stages", "value_of"]

import base64
import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

from penstock.publisher.codec.codec import Codec
from penstock.runtime.errors import ConfigurationError
from penstock.runtime.redis.facets import (
    ALL,
    cause_facet,
    entrypoint_facet,
    queue_facet,
    tag_facets,
)
from penstock.runtime.redis.keys import Keys
from penstock.runtime.redis.plans.open_counts import open_counts
from penstock.runtime.redis.plans.requests import Plan, Reads
from penstock.runtime.redis.plans.run_lists import (
    EndedWalk,
    Entry,
    OpenWalk,
    Walk,
    parts_of,
)
from penstock.runtime.redis.plans.thread_walk import ThreadWalk
from penstock.runtime.redis.run_record import read_run, texts, whole
from penstock.runtime.types.run import OPEN, Run, RunStatus
from penstock.runtime.types.run_filter import RunFilter, RunPage

EXAMINED: Final = 10_000
"""Runs that one page looks at, at most: it may come out short, and its cursor leads on."""

AT_ONCE: Final = 500
"""Runs read in one round trip."""

Facets = tuple[str, ...]
"""The facets of one thing: one, or for an encrypted tag one for each key."""


class SearchPlans:
    """The plans for one Redis."""

    def __init__(self, keys: Keys, codec: Codec, index: Sequence[str] = ()) -> None:
        self.keys = keys
        self.codec = codec
        self._index = index

    def page(self, wanted: RunFilter, limit: int, after: str | None = None) -> Plan[RunPage]:
        """Read the next runs that are looked for: the open ones first, then those that are over.

        Raises:
            ConfigurationError: the limit leaves no run, or `after` is not the cursor of a page.
        """
        if limit < 1:
            raise ConfigurationError(f"limit is a number of runs, at least 1, not {limit!r}.")
        walk = yield from self.walk(wanted, after)
        return (yield from self.next_page(walk, wanted, limit))

    def next_page(self, walk: Stages, wanted: RunFilter, limit: int) -> Plan[RunPage]:
        """Read the next runs of a walk: whoever reads many pages of one reads its lists once."""
        found: list[Run] = []
        epochs: dict[str, str] = {}
        examined = 0
        while examined < EXAMINED:
            entries = yield from walk.look(min(AT_ONCE, limit if not examined else AT_ONCE))
            if not entries:
                return RunPage(found, None, epochs)
            runs = yield from self._read(entries)
            passed = 0
            for run, epoch in runs:
                passed += 1
                # One that ends meanwhile is read as an open run, and then as one that is over.
                if run is not None and run.run_id not in epochs and wanted.admits(run):
                    found.append(run)
                    epochs[run.run_id] = epoch
                    if len(found) == limit:
                        break
            walk.skip(entries[:passed])
            examined += passed
            if len(found) == limit:
                break
        return RunPage(found, walk.cursor(), epochs)

    # -- count ----------------------------------------------------------------------------------

    def count(self, wanted: RunFilter) -> Plan[int]:
        """Count the runs that are looked for."""
        return sum((yield from self.counts(wanted, "status")).values())

    def counts(self, wanted: RunFilter, by: str) -> Plan[dict[str, int]]:
        """Count the runs that are looked for by `status`, `entrypoint`, `queue` or `tag:<key>`.

        By status of at most one facet, the lengths of lists are enough; else each run is read.

        Raises:
            ConfigurationError: runs are not counted by this.
        """
        of = value_of(by)
        facets = self._candidates(wanted)
        if by == "status" and len(facets) <= 2 and self._is_listed(wanted, facets):
            return (yield from self._lengths(wanted, facets[-1]))
        counted: Counter[str] = Counter()
        walk, is_over = (yield from self.walk(wanted)), False
        while not is_over:
            page = yield from self.next_page(walk, wanted, AT_ONCE)
            counted.update(map(of, page))
            is_over = page.after is None
        return dict(sorted(counted.items(), key=lambda each: (-each[1], each[0])))

    def _is_listed(self, wanted: RunFilter, facets: Sequence[Facets]) -> bool:
        """Tell whether a run passes that stands in the lists of the one facet, or of all runs."""
        named = sum(map(bool, (wanted.entrypoint, wanted.queue, wanted.cause))) + len(wanted.tags)
        is_timed = wanted.since or wanted.until is not None
        is_read = wanted.thread or wanted.version or is_timed
        return named == len(facets) - 1 and not is_read

    def _lengths(self, wanted: RunFilter, facets: Facets) -> Plan[dict[str, int]]:
        counted: Counter[str] = Counter()
        if wanted.statuses & OPEN:
            opened = yield from open_counts(self.keys, facets)
            counted.update({each: opened[each] for each in wanted.statuses & OPEN})
        if wanted.statuses - OPEN:
            for part, (size, less) in (yield from parts_of(self.keys, facets)).items():
                counted[part.status] += (size - less) * (part.status in wanted.statuses)
        return {str(each): counted[each] for each in RunStatus if counted[each] > 0}

    # -- the way through the lists --------------------------------------------------------------

    def walk(self, wanted: RunFilter, after: str | None = None) -> Plan[Stages]:
        """Begin to walk through the runs that are looked for, or go on at the cursor of a page.

        Raises:
            ConfigurationError: `after` is not the cursor of a page.
        """
        candidates = self._candidates(wanted)
        if after is None:
            facets = () if wanted.thread else (yield from self._smallest(candidates))
            return self._stages(wanted, facets, 0, None)
        try:
            name, stage, place = _read_cursor(after)
            facets = next((each for each in candidates if each[0] == name), ())
            if not facets and not wanted.thread:
                raise ValueError(name)
            return self._stages(wanted, facets, stage, place)
        except (ValueError, TypeError, IndexError):
            raise ConfigurationError(
                "after is the cursor of a page: pass `page.after` of a page with the same filters."
            ) from None

    def _stages(self, wanted: RunFilter, facets: Facets, stage: int, place: Any) -> Stages:
        if wanted.thread:
            return Stages("", [ThreadWalk(self.keys, wanted.thread, place)])
        times = wanted.since, wanted.until
        walks: list[Walk] = []
        if wanted.statuses & OPEN and not stage:
            listed, status = facets, wanted.status
            if status is RunStatus.SUSPENDED and facets == (ALL,):
                listed, status = (status,), None
            walks.append(OpenWalk(self.keys, listed, status, times, place))
        else:
            stage = 1
        if ended := wanted.statuses - OPEN:
            walks.append(EndedWalk(self.keys, facets, ended, times, place if stage else None))
        return Stages(facets[0], walks, stage)

    def _candidates(self, wanted: RunFilter) -> list[Facets]:
        """Return the facets of all the runs, and those that the filter names and lists exist of."""
        found: list[Facets] = [(ALL,)]
        if wanted.entrypoint:
            found.append((entrypoint_facet(wanted.entrypoint),))
        if wanted.queue and (facet := queue_facet(wanted.queue, self._index)):
            found.append((facet,))
        if wanted.cause:
            found.append((cause_facet(wanted.cause),))
        for key, value in wanted.tags.items():
            if facets := tag_facets(key, value, self._index, self.codec):
                found.append(facets)
        return found

    def _smallest(self, candidates: Sequence[Facets]) -> Plan[Facets]:
        if len(candidates) < 3:
            return candidates[-1]
        sizes: list[int] = []
        for facets in candidates[1:]:
            parts = yield from parts_of(self.keys, facets)
            cards = yield Reads([("ZCARD", self.keys.open(facet)) for facet in facets])
            sizes.append(sum(cards) + sum(size for size, _ in parts.values()))
        return candidates[1 + sizes.index(min(sizes))]

    def _read(self, entries: Sequence[Entry]) -> Plan[list[tuple[Run | None, str]]]:
        """Read runs with their epochs; None where an entry holds no more."""
        replies = yield Reads([("HGETALL", self.keys.run(each.run_id)) for each in entries])
        return [self._run(*each) for each in zip(entries, replies, strict=True)]

    def _run(self, entry: Entry, reply: Any) -> tuple[Run | None, str]:
        fields = whole(entry.run_id, texts(reply))
        if "status" not in fields:
            return None, ""
        ended = "" if entry.part is None else str(entry.time)
        if not entry.is_of_thread and fields.get("finished", "") != ended:
            return None, ""  # it goes on again, or it is over meanwhile
        return read_run(entry.run_id, fields, self.codec), fields.get("epoch", "")


class Stages:
    """Walks one after the other: the first stage is that of open runs."""

    def __init__(self, facet: str, walks: Sequence[Walk], first: int = 0) -> None:
        self._facet = facet
        self._walks = list(walks)
        self._stage = first

    def look(self, count: int) -> Plan[list[Entry]]:
        """Read the next entries, at most so many; none at the end of the last walk."""
        while self._walks:
            entries = yield from self._walks[0].look(count)
            if entries:
                return entries
            self._walks.pop(0)
            self._stage += 1
        return []

    def skip(self, entries: Sequence[Entry]) -> None:
        """Go on behind entries that were looked at, the first ones."""
        self._walks[0].skip(entries)

    def cursor(self) -> str | None:
        """Return where to go on, as a text; None at the end."""
        place = self._walks[0].place()
        if place is None:
            return None
        text = json.dumps([self._facet, self._stage, place], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(after: str) -> tuple[str, int, Any]:
    text = base64.urlsafe_b64decode(after + "=" * (-len(after) % 4))
    facet, stage, place = json.loads(text)
    return str(facet), int(stage), place


def value_of(by: str) -> Callable[[Run], str]:
    """Return what runs are counted by.

    Raises:
        ConfigurationError: they are not counted by this.
    """
    if by in ("status", "entrypoint", "queue"):
        return lambda run: str(getattr(run, by))
    if by.startswith("tag:"):
        return lambda run: run.tags.get(by.removeprefix("tag:"), "")
    raise ConfigurationError(
        f"runs are not counted by {by!r}: by status, entrypoint, queue or tag:<key>."
    )
