"""The script calls of a store, and their sizes. No IO."""

from __future__ import annotations

__all__ = ["How", "Put", "StoreCalls", "Wanted", "chunks"]

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar

from penstock.publisher.redis.script import Argument, Call, load
from penstock.runtime.store.keys import Space, StoreKeys, to_bytes

T = TypeVar("T")

How: TypeAlias = Literal["read", "refresh", "touch"]
Wanted: TypeAlias = tuple[How, Space, str]
"""An item to read, to restart the TTL of, or both."""


@dataclass(frozen=True, slots=True)
class Put:
    """An item to be stored, or deleted if it has no text."""

    space: Space
    key: str
    text: str = ""
    ttl: int = 0
    vectors: bytes = b""


class StoreCalls:
    """Builds the calls of one prefix."""

    def __init__(self, keys: StoreKeys) -> None:
        self.keys = keys

    def _call(self, name: str, *args: Argument) -> Call:
        return Call(load("penstock.runtime.store", name), (), (self.keys.prefix, *args))

    def put(self, puts: Iterable[Put], patience: int) -> Call:
        """Store and delete; also remove items that expired more than `patience` ms ago."""
        parts: list[bytes] = []
        for put in puts:
            parts += (put.space.path, put.space.digest.encode(), to_bytes(put.key))
            parts += (str(put.ttl).encode(), put.text.encode(), put.vectors)
        batch = b"".join([b"%d:%b" % (len(part), part) for part in parts])
        return self._call("put", uuid.uuid4().hex, patience, batch)

    def read(self, wanted: Iterable[Wanted], *, omit_expired: bool = False) -> Call:
        """Read items, or restart their TTLs."""
        parts: list[Argument] = []
        for how, space, key in wanted:
            parts += (how, space.digest, to_bytes(key))
        return self._call("read", int(omit_expired), *parts)

    def sweep(self, limit: int) -> Call:
        """Remove items that are over."""
        return self._call("sweep", uuid.uuid4().hex, limit)


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Give the items in parts of a size."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
