"""The names of all keys of graphs, and of the fields of their hashes."""

from __future__ import annotations

__all__ = [
    "PERMANENT",
    "GraphKeys",
    "Space",
    "applied_field",
    "names_of",
    "point_field",
    "read_write_name",
    "snapshot_field",
    "space_of",
    "to_bytes",
    "value_field",
    "write_field",
    "write_name",
]

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final
from urllib.parse import quote, unquote

from penstock.runtime.redis.keys import thread_key

_CLEAN: Final = re.compile("[0-9a-f-]+")
"""The ids of tasks that stay what they are where they are quoted, as LangGraph makes them."""

PERMANENT = ("graph:*",)
"""Kinds of keys that have no TTL: the state of a graph's threads goes when its user deletes it."""


@dataclass(frozen=True)
class Space:
    """One checkpoint namespace of a thread: "" is the graph's own, others are of its subgraphs."""

    thread_id: str
    namespace: str = ""

    @cached_property
    def thread(self) -> str:
        """What stands for the thread in the names of keys."""
        return thread_key(self.thread_id)

    @cached_property
    def digest(self) -> str:
        """What stands for the namespace in the names of keys."""
        return hashlib.blake2b(to_bytes(self.namespace)).hexdigest()[:16]

    @cached_property
    def place(self) -> str:
        """What follows `graph:` in the name of its key."""
        return f"{self.thread}:{self.digest}"


@lru_cache(maxsize=1024)
def space_of(thread_id: str, namespace: str) -> Space:
    """Return a space that is asked for again and again, with what stands for it in names."""
    return Space(thread_id, namespace)


@dataclass(frozen=True, slots=True)
class GraphKeys:
    """Key names, one method a name."""

    prefix: str = "penstock"

    def thread(self, key: str) -> str:
        """Hash of a graph's thread: its id; `space:<space>` -> namespace, root point. Permanent.

        `copied` is the number of the copy that has made it; `hosted` says that workers execute it,
        which graph and on which queue, and that it is kept as long as the thread of its runs.
        """
        return f"{self.prefix}:graph:{key}"

    def space(self, key: str, space: str) -> str:
        """Hash of a space: its points, the values of channels, pending writes. Permanent."""
        return f"{self.prefix}:graph:{key}:{space}"

    def order(self, key: str, space: str) -> str:
        """Sorted set (by text) of the ids of a space's points, the newest last. Permanent."""
        return f"{self.prefix}:graph:{key}:{space}:order"


def names_of(keys: GraphKeys, space: Space) -> tuple[str, str, str]:
    """Return the names of the thread of a space, of the space, and of its order."""
    thread, digest = space.thread, space.digest
    return keys.thread(thread), keys.space(thread, digest), keys.order(thread, digest)


def point_field(point_id: str) -> str:
    """Return the field of a point."""
    return f"p {point_id}"


def value_field(channel: str, version: str) -> str:
    """Return the field of a channel's value in one version, as `version_text` writes it."""
    return f"v {channel} {version}"


def write_name(task_id: str, index: int) -> str:
    """Return what a write is called among those of its point."""
    return f"{task_id if _CLEAN.fullmatch(task_id) else _quoted(task_id)} {index}"


@lru_cache(maxsize=1024)
def _quoted(task_id: str) -> str:
    return quote(task_id, errors="surrogatepass")


def read_write_name(name: str) -> tuple[str, int]:
    """Return the task and the index of a write."""
    task_id, _, index = name.rpartition(" ")
    return unquote(task_id, errors="surrogatepass"), int(index)


def write_field(point_id: str, name: str) -> str:
    """Return the field of a write."""
    return f"w {point_id} {name}"


def snapshot_field(point_id: str) -> str:
    """Return the field of what is told of a point."""
    return f"s {point_id}"


def applied_field(point_id: str) -> str:
    """Return the field of a point's values with its pending writes."""
    return f"a {point_id}"


def to_bytes(text: str) -> bytes:
    """Return what stands for any str in Redis, lone surrogates included."""
    return text.encode("utf-8", "surrogatepass")
