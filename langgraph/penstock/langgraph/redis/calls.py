"""The script calls of graphs: what is sent, in which order. No IO."""

from __future__ import annotations

__all__ = [
    "RECORD",
    "TOLD",
    "WHOLE",
    "Command",
    "Depth",
    "GraphCalls",
    "NewValue",
    "NewWrite",
    "Plan",
    "Puts",
    "Request",
]

from collections.abc import Generator, Iterable, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias, TypeVar

from penstock.langgraph.redis.keys import GraphKeys, Space, names_of, to_bytes, value_field
from penstock.publisher.redis.script import Argument, Call, load
from penstock.runtime.journal.put import Put

T = TypeVar("T")

Command: TypeAlias = tuple[Argument, ...]
Request: TypeAlias = "Call | Command | Puts"
"""A script, a command, or what an attempt of a run stores; all may be sent twice."""

Plan: TypeAlias = Generator[Request, Any, T]

Depth: TypeAlias = Literal[0, 1, 2]
"""How much of points is read."""

RECORD: Final = 0
"""Their records only."""
WHOLE: Final = 1
"""With values and writes."""
TOLD: Final = 2
"""With their snapshots, too, and their values with pending writes."""

SCRIPTS = "penstock.langgraph.redis.scripts"


class Puts(NamedTuple):
    """What an attempt of a run is to store, through its journal."""

    puts: tuple[Put, ...]
    space: Space
    point_id: str
    is_point: bool
    named: str | None = None
    """What it says of the space itself; None for nothing."""


class NewValue(NamedTuple):
    """A channel's value in a new version."""

    channel: str
    version: str
    record: bytes = b""
    """Empty if the channel has no value in this version."""
    base: str = ""
    """The version that the record continues."""


class NewWrite(NamedTuple):
    """A pending write."""

    name: str
    record: bytes
    first_wins: bool


class GraphCalls:
    """Builds the calls of one prefix; ttl: seconds that a thread is kept at least."""

    def __init__(self, keys: GraphKeys, ttl: float | None = None) -> None:
        self.keys = keys
        self.ttl = None if ttl is None else max(1, round(ttl * 1000))
        """The same in milliseconds; None for ever."""
        self._ttl = "" if self.ttl is None else self.ttl

    def put(
        self, space: Space, root: str, point_id: str, record: bytes, values: Iterable[NewValue]
    ) -> Request:
        """Store a point with its new values."""
        parts: list[Argument] = []
        for value in values:
            base = value_field(value.channel, value.base) if value.base else ""
            parts += (to_bytes(value_field(value.channel, value.version)), to_bytes(base))
            parts.append(value.record)
        start = (to_bytes(space.thread_id), space.digest, to_bytes(space.namespace), root)
        return self._call("put", space, *start, to_bytes(point_id), record, self._ttl, *parts)

    def put_writes(self, space: Space, point_id: str, writes: Iterable[NewWrite]) -> Request:
        """Store pending writes of a point, which may come later than they."""
        parts: list[Argument] = []
        for write in writes:
            parts += (write.name, int(write.first_wins), write.record)
        start = (to_bytes(space.thread_id), space.digest, to_bytes(space.namespace))
        return self._call("put_writes", space, *start, to_bytes(point_id), self._ttl, *parts)

    def points(self, space: Space, ids: Sequence[str], depth: Depth = WHOLE) -> Call:
        """Read points by their ids; what is not there is left out."""
        return self._call("points", space, depth, "", 0, *map(to_bytes, ids))

    def newest(self, space: Space, count: int, before: str = "", depth: Depth = WHOLE) -> Call:
        """Read the newest points, of those older than one if that is given."""
        return self._call("points", space, depth, to_bytes(before), count)

    def lineage(self, space: Space, point_id: str, channels: Sequence[str]) -> Call:
        """Read what some channels got from the ancestors of a point, as far back as is needed."""
        return self._call("lineage", space, to_bytes(point_id), *map(to_bytes, channels))

    def of_runs(self, space: Space, run_ids: Sequence[str]) -> Call:
        """Return the ids of the points that runs have made."""
        return self._call("of_runs", space, *map(to_bytes, run_ids))

    def forget(self, space: Space, ids: Sequence[str], head: str = "") -> Call:
        """Delete points with their writes, and the values that no other point needs.

        If a head is given, only while it is there and no run is open on the thread, which could be
        rolled back to one of those points.
        """
        start = (space.digest, to_bytes(space.thread_id), to_bytes(head))
        return self._call("forget", space, *start, *map(to_bytes, ids))

    def delete(self, thread: str) -> Call:
        """Delete a thread."""
        return Call(load(SCRIPTS, "delete"), (self.keys.thread(thread),), ())

    def keep(self, thread: str, ttl: int) -> Call:
        """Keep a thread for so many milliseconds from now on."""
        return Call(load(SCRIPTS, "keep_thread"), (self.keys.thread(thread),), (ttl,))

    def copy(self, source: str, target: Space, nonce: str, *, whole: bool) -> Call:
        """Copy a thread, or only say that its copy is about to be made."""
        keys = self.keys.thread(source), self.keys.thread(target.thread)
        # One that is made piece by piece gets its time at the end: until then it can be deleted.
        given = (to_bytes(target.thread_id), nonce, int(whole), self._ttl if whole else "")
        return Call(load(SCRIPTS, "copy"), keys, given)

    def _call(self, name: str, space: Space, *args: Argument) -> Call:
        return Call(load(SCRIPTS, name), names_of(self.keys, space), args)
