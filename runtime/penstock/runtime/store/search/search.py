"""The search of a store, as a plan: candidates in order, read until enough of them match."""

from __future__ import annotations

__all__ = ["Search", "Shelf"]

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from penstock.publisher.codec.codec import Codec
from penstock.publisher.redis.script import Argument
from penstock.runtime.store.calls import StoreCalls, Wanted, chunks
from penstock.runtime.store.item import SearchItem, SearchOp
from penstock.runtime.store.keys import Space, from_bytes
from penstock.runtime.store.plan import Commands, Plan, Vector
from penstock.runtime.store.record import Record, open_blobs
from penstock.runtime.store.search.filter import matcher
from penstock.runtime.store.spaces import spaces_under

if TYPE_CHECKING:
    from penstock.runtime.store.search.vectors import Matrix, MatrixCache

GROUP = 512
"""Commands of one round trip."""
FEWEST, MOST = 64, 512
"""Items that are read at once: at first, where not all of them will match, and later on."""


class Candidate(NamedTuple):
    """An item that a search may find."""

    space: Space
    key: str
    score: float | None = None


class Shelf(NamedTuple):
    """The state that the searches of one store share."""

    calls: StoreCalls
    codec: Codec
    omit_expired: bool
    dims: int
    cache: MatrixCache | None


class Search:
    """One search.

    Raises:
        ValueError: the filter cannot be read.
    """

    def __init__(self, shelf: Shelf, op: SearchOp) -> None:
        self._shelf = shelf
        self._keys = shelf.calls.keys
        self._op = op
        self._matches = matcher(op.filter)
        self._every = self._matches is None and not shelf.omit_expired
        """Whether each candidate is a find, so that those before the offset need no reading."""
        self._skip = op.offset
        self._found: list[SearchItem] = []
        self._touch: list[Wanted] = []

    def plan(self, query: Vector | None) -> Plan[list[SearchItem]]:
        """Find items, by likeness to a query if there is one."""
        spaces = yield from spaces_under(self._keys, Space.of(self._op.namespace_prefix))
        if query is None:
            keys = yield from self._page(spaces) if self._every else self._all(spaces)
            yield from self._walk(_in_order(spaces, keys))
        else:
            matrices = yield from self._matrices(spaces)
            yield from self._walk(_by_score(spaces, matrices, query))
            if self._missing:
                keys = yield from self._all(spaces)
                yield from self._walk(_others(spaces, keys, matrices))
        if self._op.refresh_ttl and self._touch:
            yield self._shelf.calls.read(self._touch)
        return self._found

    @property
    def _missing(self) -> int:
        return self._op.limit - len(self._found)

    # -- candidates -----------------------------------------------------------------------------

    def _page(self, spaces: Sequence[Space]) -> Plan[list[list[bytes]]]:
        """Return the keys between offset and limit, for each namespace."""
        counts = yield from self._ask([("ZCARD", self._keys.order(s.digest)) for s in spaces])
        ranges: list[tuple[Argument, ...]] = []
        start, end = self._op.offset, self._op.offset + self._op.limit
        for space, count in zip(spaces, counts, strict=True):
            first, last = max(start, 0), min(end, count) - 1
            ranges.append(("ZRANGE", self._keys.order(space.digest), first, last))
            start, end = start - count, end - count
        self._skip = 0
        return (yield from self._some(ranges))

    def _some(self, ranges: list[tuple[Argument, ...]]) -> Plan[list[list[bytes]]]:
        """Ask for those ranges only that are not empty."""
        asked = [row for row in ranges if int(row[2]) <= int(row[3])]
        replies = iter((yield from self._ask(asked)))
        return [next(replies) if int(row[2]) <= int(row[3]) else [] for row in ranges]

    def _all(self, spaces: Sequence[Space]) -> Plan[list[list[bytes]]]:
        """Return all keys, for each namespace."""
        return (
            yield from self._ask([("ZRANGE", self._keys.order(s.digest), 0, -1) for s in spaces])
        )

    def _matrices(self, spaces: Sequence[Space]) -> Plan[list[Matrix]]:
        """Return the vectors of each namespace, from the cache where it has their version."""
        from penstock.runtime.store.search.vectors import Matrix

        shelf, keys = self._shelf, self._keys
        cache = shelf.cache
        assert cache is not None, "a store with an index has a cache"
        versions = yield from self._ask(
            [("HGET", keys.space(space.digest), "version") for space in spaces]
        )
        matrices: dict[Space, Matrix] = {}
        for space, version in zip(spaces, versions, strict=True):
            cached = cache.get(space.digest, version)
            if version is None or cached is not None:
                matrices[space] = cached or Matrix.of(b"", {}, shelf.dims)
        for some in chunks([space for space in spaces if space not in matrices], 64):
            # The version comes first: vectors newer than it says are only read once more.
            rows = [("HGET", keys.space(space.digest), "version") for space in some]
            blobs = [("HGETALL", keys.vectors(space.digest)) for space in some]
            replies = yield from self._ask([*rows, *blobs])
            for at, space in enumerate(some):
                version = replies[at] or b""
                sealed = replies[len(some) + at]
                opened = open_blobs(shelf.codec.at("vectors", *space.namespace), sealed)
                matrices[space] = Matrix.of(version, opened, shelf.dims)
                cache.put(space.digest, matrices[space])
        return [matrices[space] for space in spaces]

    def _ask(self, rows: Sequence[tuple[Argument, ...]]) -> Plan[list[Any]]:
        replies: list[Any] = []
        for some in chunks(rows, GROUP):
            replies += yield Commands(tuple(some))
        return replies

    # -- reading --------------------------------------------------------------------------------

    def _walk(self, candidates: Iterable[Candidate]) -> Plan[None]:
        """Read candidates until there are as many finds as wanted."""
        left = iter(candidates)
        if self._every and self._skip:
            self._skip -= sum(1 for _ in islice(left, self._skip))
        size = 0
        while self._missing:
            size = min(MOST, self._missing if self._every else max(FEWEST, size * 2))
            some = list(islice(left, size))
            if not some:
                return
            wanted: list[Wanted] = [("read", space, key) for space, key, _ in some]
            call = self._shelf.calls.read(wanted, omit_expired=self._shelf.omit_expired)
            for candidate, reply in zip(some, (yield call), strict=True):
                if reply is not None and self._missing:
                    codec = self._shelf.codec.at("store", *candidate.space.namespace, candidate.key)
                    self._consider(candidate, Record(reply, codec))

    def _consider(self, candidate: Candidate, record: Record) -> None:
        if self._matches is not None and not self._matches(record.value):
            return
        if self._skip:
            self._skip -= 1
            return
        space, key, score = candidate
        self._found.append(record.found(space.namespace, key, score))
        if record.expires:
            self._touch.append(("touch", space, key))


def _in_order(spaces: Sequence[Space], keys: Sequence[Sequence[bytes]]) -> Iterator[Candidate]:
    for space, names in zip(spaces, keys, strict=True):
        for name in names:
            yield Candidate(space, from_bytes(name))


def _by_score(
    spaces: Sequence[Space], matrices: Sequence[Matrix], query: Vector
) -> Iterator[Candidate]:
    from penstock.runtime.store.search.vectors import ranked

    for place, key, score in ranked(matrices, query):
        yield Candidate(spaces[place], key, score)


def _others(
    spaces: Sequence[Space], keys: Sequence[Sequence[bytes]], matrices: Sequence[Matrix]
) -> Iterator[Candidate]:
    """Give the items that have no vectors."""
    indexed = {space: set(matrix.keys) for space, matrix in zip(spaces, matrices, strict=True)}
    for candidate in _in_order(spaces, keys):
        if candidate.key not in indexed[candidate.space]:
            yield candidate
