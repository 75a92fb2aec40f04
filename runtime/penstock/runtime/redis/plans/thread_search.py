"""Finds threads by what is known of them, and counts them, as plans without IO.

The lists of threads are in `thread_lists.lua`.
"""

from __future__ import annotations

__all__ = ["EXAMINED", "ThreadSearch", "ThreadWalk"]

import dataclasses
import time
from collections.abc import Sequence
from typing import Any, Final

from penstock.runtime.redis.keys import thread_bytes, thread_text
from penstock.runtime.redis.plans.requests import Plan, Reads
from penstock.runtime.redis.plans.thread_records import ThreadRecords
from penstock.runtime.redis.thread_pairs import wanted_pairs
from penstock.runtime.types.thread_record import ThreadQuery, ThreadRecord, ThreadStatus

EXAMINED: Final = 10_000
"""Threads that one search looks at, or one count that has to read their records, at most."""

SMALL: Final = 1000
"""Threads up to which all of a list are read and put in order here."""

AT_ONCE: Final = 200
"""Threads read in one round trip."""

COUNTED: Final = 1000
"""Threads that are looked for in lists in one round trip."""

Lists = tuple[str, ...]
"""The lists of one thing: one, or for a pair of encrypted metadata one for each key."""


class ThreadSearch:
    """The plans for one Redis."""

    def __init__(self, records: ThreadRecords) -> None:
        self.records = records
        self._keys = records.keys

    def walk(self, query: ThreadQuery) -> Plan[ThreadWalk]:
        """Begin to walk through the threads that are looked for, in their order.

        By their ids, the newest EXAMINED are put in order.
        """
        yield from self._forget_gone()
        if query.ids is not None:
            return ThreadWalk(self.records, query, list(dict.fromkeys(query.ids)))
        candidates = self._candidates(query)
        sizes = yield from self._sizes(candidates)
        smallest: Lists = (self._keys.threads,)
        if candidates:
            smallest = candidates[sizes.index(min(sizes))]
        if candidates and min(sizes) <= SMALL:
            return ThreadWalk(self.records, query, (yield from self._newest(smallest)))
        if query.sort_by == "thread_id":
            names = yield from self._newest(smallest)
            names.sort(reverse=query.is_descending)
            return ThreadWalk(self.records, query, names, is_sorted=True)
        return ThreadWalk(self.records, query, lists=self._ordered(query))

    def count(self, query: ThreadQuery) -> Plan[int]:
        """Count the threads that are looked for: of those that it has to read, EXAMINED at most."""
        yield from self._forget_gone()
        exact = self.exact_lists(query)
        if exact is not None:
            return (yield from self._count_common(exact))
        walk = yield from self.walk(dataclasses.replace(query, sort_by="thread_id"))
        found = 0
        while walk.examined < EXAMINED and (records := (yield from walk.look())) is not None:
            found += len(records)
        return found

    def _count_common(self, lists: Sequence[str]) -> Plan[int]:
        """Count the threads that several lists have in common, a part of the smallest at a time."""
        sizes: list[int] = yield Reads([("ZCARD", name) for name in lists])
        if len(lists) == 1:
            return sizes[0]
        smallest = lists[sizes.index(min(sizes))]
        others, found = [name for name in lists if name != smallest], 0
        for at in range(0, min(sizes), COUNTED):
            names = yield ("ZRANGE", smallest, at, at + COUNTED - 1)
            if not names:
                break
            scores = yield Reads([("ZMSCORE", name, *names) for name in others])
            found += sum(None not in each for each in zip(*scores, strict=True))
        return found

    def exact_lists(self, query: ThreadQuery) -> list[str] | None:
        """Return lists that have exactly the threads looked for in common; None if there are none.

        What is in an object of the metadata is in no list.
        """
        candidates = self._candidates(query)
        is_listed = all(
            value is None or isinstance(value, str | int | float)
            for value in query.metadata.values()
        )
        pairs = len(candidates) - (query.status is not None)
        if query.ids is not None or not is_listed or pairs != len(query.metadata):
            return None
        if any(len(each) > 1 for each in candidates):
            return None
        return [each[0] for each in candidates] or [self._keys.threads]

    # -- lists ----------------------------------------------------------------------------------

    def _candidates(self, query: ThreadQuery) -> list[Lists]:
        found: list[Lists] = []
        if query.status is not None:
            found.append((self._keys.threads_of(query.status),))
        for digests in wanted_pairs(query.metadata, self.records.codec):
            found.append(tuple(self._keys.threads_of(f"with:{each}") for each in digests))
        return found

    def _ordered(self, query: ThreadQuery) -> list[str]:
        """Return the lists that give the threads in their order, one after the other."""
        if query.sort_by == "created_at":
            return [self._keys.threads_of("created")]
        if query.status is not None:
            return [self._keys.threads_of(query.status)]
        if query.sort_by == "status":
            statuses = sorted(ThreadStatus, reverse=query.is_descending)
            return [self._keys.threads_of(each) for each in statuses]
        return [self._keys.threads]

    def _sizes(self, candidates: Sequence[Lists]) -> Plan[list[int]]:
        names = [name for each in candidates for name in each]
        counts: list[Any] = (yield Reads([("ZCARD", name) for name in names])) if names else []
        size = dict(zip(names, counts, strict=True))
        return [sum(size[name] for name in each) for each in candidates]

    def _newest(self, lists: Lists) -> Plan[list[str]]:
        replies = yield Reads([("ZREVRANGE", name, 0, EXAMINED - 1) for name in lists])
        members = dict.fromkeys(member for reply in replies for member in reply)
        return [thread_text(member) for member in members]

    def _forget_gone(self) -> Plan[None]:
        """Take threads whose time is over out of the lists."""
        ending, now = self._keys.threads_of("ending"), round(time.time() * 1000)
        while True:
            gone = yield ("ZRANGEBYSCORE", ending, "-inf", now, "LIMIT", 0, AT_ONCE)
            if not gone or not (yield self.records.calls.unlist(gone)):
                return


class ThreadWalk:
    """The threads that are looked for, some at a time."""

    def __init__(
        self,
        records: ThreadRecords,
        query: ThreadQuery,
        ids: Sequence[str] = (),
        *,
        is_sorted: bool = False,
        lists: Sequence[str] = (),
    ) -> None:
        self.examined = 0
        self.is_whole = not lists and not is_sorted
        """Whether the first look gives all that there are."""
        self._records = records
        self._query = query
        self._ids = ids
        self._lists = list(lists)
        self._at = 0
        self._seen: set[str] = set()
        self._is_over = False

    def look(self) -> Plan[list[ThreadRecord] | None]:
        """Read the next threads, perhaps none of those that were looked at; None at the end."""
        if self._is_over:
            return None
        if not self.is_whole:
            names = yield from self._following()
            self._is_over = not names
            return (yield from self._admitted(names)) if names else None
        found: list[ThreadRecord] = []
        for at in range(0, len(self._ids), AT_ONCE):
            found += yield from self._admitted(self._ids[at : at + AT_ONCE])
        self._is_over = True
        found.sort(key=self._place, reverse=self._query.is_descending)
        return found

    def _place(self, record: ThreadRecord) -> tuple[Any, ...]:
        value = getattr(record, self._query.sort_by)
        if self._query.sort_by == "status":
            return value, record.updated_at, record.thread_id
        return value, record.thread_id

    def _following(self) -> Plan[Sequence[str]]:
        if not self._lists:
            names = self._ids[self._at : self._at + AT_ONCE]
            self._at += len(names)
            return names
        order = "ZREVRANGE" if self._query.is_descending else "ZRANGE"
        while self._lists:
            reply = yield (order, self._lists[0], self._at, self._at + AT_ONCE - 1)
            if reply:
                self._at += len(reply)
                return [thread_text(member) for member in reply]
            self._lists.pop(0)
            self._at = 0
        return []

    def _admitted(self, names: Sequence[str]) -> Plan[list[ThreadRecord]]:
        """Read threads, without those that were seen, as one that changes moves in its list."""
        fresh = [name for name in names if name not in self._seen]
        self._seen.update(fresh)
        self.examined += len(names)
        records = yield from self._records.read(fresh)
        gone = [name for name, each in zip(fresh, records, strict=True) if each is None]
        if gone and self._query.ids is None:
            members = [thread_bytes(name) for name in gone]
            yield self._records.calls.unlist(members)
            self._at = max(0, self._at - len(gone)) if self._lists else self._at
        return [each for each in records if each is not None and self._query.admits(each)]
