"""The names of all keys of a store; names.lua builds the same ones.

No text of users is part of a key's name: a namespace is there as a digest, and itself only as a
member of the index of namespaces, where `Space.path` keeps its labels apart whatever they hold.
"""

from __future__ import annotations

__all__ = ["PERMANENT", "Space", "StoreKeys", "from_bytes", "to_bytes"]

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

PERMANENT = (
    "store:namespaces",
    "store:expiries",
    "store:space:*",
    "store:items:*",
    "store:order:*",
    "store:expiry:*",
    "store:vectors:*",
)
"""Kinds of keys that have no TTL: what users store is theirs, and goes when they or its TTL say."""


@dataclass(frozen=True)
class Space:
    """A namespace as it is stored in Redis."""

    path: bytes
    """The labels, each ended by a NUL; NUL in a label is 01 01, 01 is 01 02.

    So a namespace's path begins with the paths of those above it and of no other, and paths sort
    as the tuples do.
    """

    @staticmethod
    def of(namespace: Iterable[str]) -> Space:
        """Return the space of a namespace."""
        return Space(b"".join(_escaped(label) + b"\0" for label in namespace))

    @cached_property
    def namespace(self) -> tuple[str, ...]:
        """The labels."""
        return tuple(_unescaped(label) for label in self.path.split(b"\0")[:-1])

    @cached_property
    def digest(self) -> str:
        """The digest of the namespace in the names of keys."""
        return hashlib.blake2b(self.path, digest_size=16).hexdigest()

    def range(self) -> tuple[bytes, bytes]:
        """Return the bounds, as ZRANGEBYLEX has them, of all paths that begin with this one."""
        if not self.path:
            return b"-", b"+"
        return b"[" + self.path, b"(" + self.path[:-1] + b"\1"


@dataclass(frozen=True, slots=True)
class StoreKeys:
    """Key names, one method a name."""

    prefix: str = "penstock"

    @property
    def namespaces(self) -> str:
        """Sorted set (by text) of the paths of namespaces that have items. Permanent."""
        return f"{self.prefix}:store:namespaces"

    @property
    def expiries(self) -> str:
        """Sorted set of namespaces by when (ms) their next item expires at the soonest. Permanent.

        Not moved when a read refreshes an item: sweeping sets it right.
        """
        return f"{self.prefix}:store:expiries"

    def space(self, digest: str) -> str:
        """Hash of a namespace: its path, and the version of its vectors. Permanent."""
        return f"{self.prefix}:store:space:{digest}"

    def items(self, digest: str) -> str:
        """Hash of a namespace's items: key -> `<updated us> <ttl ms> <value>`. Permanent."""
        return f"{self.prefix}:store:items:{digest}"

    def order(self, digest: str) -> str:
        """Sorted set of a namespace's item keys by when they were created (us). Permanent."""
        return f"{self.prefix}:store:order:{digest}"

    def expiry(self, digest: str) -> str:
        """Sorted set of the item keys that expire, by when (ms). Permanent."""
        return f"{self.prefix}:store:expiry:{digest}"

    def vectors(self, digest: str) -> str:
        """Hash of a namespace's vectors: key -> rows of `vectors.py`. Permanent."""
        return f"{self.prefix}:store:vectors:{digest}"

    def done(self, nonce: str) -> str:
        """Reply of a write that was made, so that it is not made twice; TTL: a minute."""
        return f"{self.prefix}:store:done:{nonce}"


def to_bytes(text: str) -> bytes:
    """Return what stands for any str in Redis, lone surrogates included."""
    return text.encode("utf-8", "surrogatepass")


def from_bytes(data: bytes) -> str:
    """Read `to_bytes`."""
    return data.decode("utf-8", "surrogatepass")


def _escaped(label: str) -> bytes:
    return to_bytes(label).replace(b"\1", b"\1\2").replace(b"\0", b"\1\1")


def _unescaped(label: bytes) -> str:
    return from_bytes(label.replace(b"\1\1", b"\0").replace(b"\1\2", b"\1"))
