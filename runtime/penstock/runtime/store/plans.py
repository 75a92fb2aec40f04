"""The operations of a store, as plans without IO."""

from __future__ import annotations

__all__ = ["StorePlans"]

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar, cast

from penstock.publisher.codec.codec import Codec
from penstock.runtime.store.calls import Put, StoreCalls, Wanted, chunks
from penstock.runtime.store.item import (
    GetOp,
    ListNamespacesOp,
    Op,
    PutOp,
    Result,
    SearchOp,
)
from penstock.runtime.store.keys import Space, StoreKeys
from penstock.runtime.store.namespace import Listing, check_labels, check_namespace
from penstock.runtime.store.plan import Plan, Texts, Vector
from penstock.runtime.store.record import Record, seal_blob
from penstock.runtime.store.search.embedding import Index
from penstock.runtime.store.search.search import Search, Shelf
from penstock.runtime.store.spaces import list_namespaces
from penstock.runtime.store.ttl import Lifetime, milliseconds, minutes

if TYPE_CHECKING:
    from penstock.runtime.store.search.vectors import MatrixCache

T = TypeVar("T")

READS = 512
"""Items that are read at once."""
SWEEP = 1000
"""Items that one call sweeps, so that it does not block Redis for long."""


class StorePlans:
    """The plans for one prefix, one way to write values, one index and one lifetime."""

    def __init__(
        self, keys: StoreKeys, codec: Codec, index: Index | None, lifetime: Lifetime
    ) -> None:
        self._calls = StoreCalls(keys)
        self._codec = codec
        self._index = index
        self._lifetime = lifetime
        self._shelf = Shelf(
            self._calls,
            codec,
            lifetime.omit_expired,
            index.dims if index else 0,
            _cache() if index else None,
        )

    def batch(self, ops: Iterable[Op]) -> Plan[list[Result]]:
        """Execute ops: reads see the state before; of several puts on one key the last wins.

        Raises:
            ValueError, TypeError: an op is invalid; nothing was done.
        """
        given = list(ops)
        for op in given:
            _check(op)
        listings = {at: Listing.of(op) for at, op in _those(given, ListNamespacesOp)}
        searches = {at: Search(self._shelf, op) for at, op in _those(given, SearchOp)}
        puts = {(op.namespace, op.key): op for _, op in _those(given, PutOp)}
        drafts = [self._draft(op) for op in puts.values()]
        results: list[Result] = [None] * len(given)
        yield from self._get(given, results)
        queries = yield from self._queries([op for _, op in _those(given, SearchOp)])
        for at, op in _those(given, SearchOp):
            results[at] = yield from searches[at].plan(queries.get(op.query))
        for at, op in _those(given, ListNamespacesOp):
            results[at] = yield from list_namespaces(self._calls.keys, op, listings[at])
        if drafts:
            yield from self._write(drafts)
        return results

    def sweep(self) -> Plan[int]:
        """Remove all that is over; returns how many items that were."""
        swept, more = 0, True
        while more:
            removed, more = yield self._calls.sweep(SWEEP)
            swept += removed
        return swept

    def _get(self, given: Sequence[Op], results: list[Result]) -> Plan[None]:
        for some in chunks(_those(given, GetOp), READS):
            wanted: list[Wanted] = [
                ("refresh" if op.refresh_ttl else "read", Space.of(op.namespace), op.key)
                for _, op in some
            ]
            call = self._calls.read(wanted, omit_expired=self._lifetime.omit_expired)
            for (at, op), reply in zip(some, (yield call), strict=True):
                if reply is not None:
                    codec = self._codec.at("store", *op.namespace, op.key)
                    results[at] = Record(reply, codec).item(op.namespace, op.key)

    def _queries(self, ops: Sequence[SearchOp]) -> Plan[Mapping[str | None, Vector]]:
        texts = [op.query for op in ops if op.query]
        if self._index is None or not texts:
            return {}
        return (yield from _embedded(texts, query=True))

    def _draft(self, op: PutOp) -> tuple[Put, list[str]]:
        """Write down a put, and the texts by which it is to be found."""
        space = Space.of(op.namespace)
        if op.value is None:
            return Put(space, op.key), []
        codec = self._codec.at("store", *op.namespace, op.key)
        text = codec.dumps(op.value, f"the value of {op.key[:80]!r} in {op.namespace!r}")
        texts = self._index.texts(op.value, op.index) if self._index else []
        return Put(space, op.key, text, milliseconds(op.ttl)), texts

    def _write(self, drafts: Sequence[tuple[Put, list[str]]]) -> Plan[None]:
        vectors = yield from _embedded([text for _, texts in drafts for text in texts])
        puts: list[Put] = []
        for put, texts in drafts:
            if texts:
                blob = _pack([vectors[text] for text in texts])
                codec = self._codec.at("vectors", *put.space.namespace, put.key)
                put = dataclasses.replace(put, vectors=seal_blob(codec, blob))
            puts.append(put)
        yield self._calls.put(puts, milliseconds(self._lifetime.sweep_interval))


def _those(ops: Sequence[Op], kind: type[T]) -> list[tuple[int, T]]:
    return [(at, op) for at, op in enumerate(ops) if isinstance(op, kind)]


def _embedded(texts: Sequence[str], *, query: bool = False) -> Plan[Mapping[str | None, Vector]]:
    """Embed texts, each once."""
    unique = tuple(dict.fromkeys(texts))
    if not unique:
        return {}
    vectors = yield Texts(unique, query)
    return dict(zip(unique, vectors, strict=True))


def _check(op: Op) -> None:
    if isinstance(op, (GetOp, PutOp)):
        if not isinstance(cast(object, op.key), str):
            raise TypeError(f"the key of an item is a string, not {op.key!r}.")
        check_labels(op.namespace)
    elif op.limit < 0 or op.offset < 0:
        raise ValueError(f"limit and offset are not negative: {op.limit}, {op.offset}.")
    if isinstance(op, SearchOp):
        check_labels(op.namespace_prefix, "a namespace prefix")
    if isinstance(op, PutOp) and op.value is not None:
        _check_put(op)


def _check_put(op: PutOp) -> None:
    check_namespace(op.namespace)
    minutes(op.ttl)
    if not isinstance(cast(object, op.value), dict):
        raise TypeError(f"the value of an item is a dict, not a {type(op.value).__name__}.")
    if isinstance(cast(object, op.index), str) or cast(object, op.index) is True:
        raise TypeError(f"index is a list of paths, False or None, not {op.index!r}.")


# Numpy is needed, and loaded, by stores that have an index only.


def _cache() -> MatrixCache:
    from penstock.runtime.store.search.vectors import MatrixCache

    return MatrixCache()


def _pack(vectors: Sequence[Vector]) -> bytes:
    from penstock.runtime.store.search.vectors import pack

    return pack(vectors)
