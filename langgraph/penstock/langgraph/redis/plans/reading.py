"""Plans that read points."""

from __future__ import annotations

__all__ = [
    "Listing",
    "Read",
    "lineage",
    "newest",
    "newest_snapshot",
    "pairs",
    "point",
    "read_points",
    "rooted_spaces",
    "spaces_in",
    "spaces_of",
    "untold",
]

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from penstock.langgraph.redis.calls import RECORD, WHOLE, Depth, Plan
from penstock.langgraph.redis.chain import Chain, chain_of
from penstock.langgraph.redis.growing import ListBytes
from penstock.langgraph.redis.keys import (
    Space,
    names_of,
    point_field,
    read_write_name,
    snapshot_field,
    value_field,
    write_field,
)
from penstock.langgraph.redis.point import Lineage, Point, PointHead, Write
from penstock.langgraph.redis.record import head_of
from penstock.langgraph.redis.snapshot import Snapshot
from penstock.langgraph.redis.storage import Storage
from penstock.langgraph.redis.versions import is_ours

PAGE = 64
"""Points that are read at once, so that nobody waits for Redis for long."""

Stored: TypeAlias = Mapping[bytes, bytes]
"""Records by their fields."""


def point(storage: Storage, space: Space, point_id: str) -> Plan[Point | None]:
    """Return a point, None if there is none."""
    return (yield from _one(storage, space, storage.calls.points(space, [point_id])))


def newest(storage: Storage, space: Space) -> Plan[Point | None]:
    """Return the newest point of a space, None if there is none."""
    return (yield from _one(storage, space, storage.calls.newest(space, 1)))


def _one(storage: Storage, space: Space, call: Any) -> Plan[Point | None]:
    found = read_points(storage, space, (yield call))
    if not found:
        return None
    _remember(storage, found[0])
    return found[0].point


def newest_snapshot(storage: Storage, space: Space) -> Plan[tuple[str, Snapshot]]:
    """Return the newest point of a space and what is told of it; "" for no point."""
    _, fields, order = names_of(storage.calls.keys, space)
    ids: Sequence[bytes] = yield "ZREVRANGE", order, 0, 0
    if not ids:
        return "", Snapshot()
    told = yield "HGET", fields, snapshot_field(ids[0].decode())
    return ids[0].decode(), Snapshot.parse(told) if told else Snapshot()


def untold(storage: Storage, space: Space) -> Plan[list[str]]:
    """Return the newest points of a space of which nothing is told, the newest one last."""
    _, fields, order = names_of(storage.calls.keys, space)
    found: Sequence[bytes] = yield "ZREVRANGE", order, 0, PAGE - 1
    ids = [id_.decode() for id_ in found]
    told: Sequence[Any] = (yield "HMGET", fields, *map(snapshot_field, ids)) if ids else ()
    count = next((number for number, text in enumerate(told) if text is not None), len(ids))
    return ids[:count][::-1]


def lineage(
    storage: Storage, space: Space, point_id: str, channels: Sequence[str]
) -> Plan[dict[str, Lineage]]:
    """Return what channels got from the ancestors of a point, back to a stored value of each."""
    if not point_id:
        heads, _ = yield storage.calls.newest(space, 1, depth=RECORD)
        point_id = heads[0][0].decode() if heads else ""
    points, found, flat = yield storage.calls.lineage(space, point_id, channels)
    values = pairs(flat)
    seeds = {channel.decode(): (id_, version.decode()) for channel, id_, version in found}
    return {
        channel: _lineage(storage, space, channel, points, values, seeds.get(channel))
        for channel in channels
    }


def _lineage(
    storage: Storage,
    space: Space,
    channel: str,
    points: Sequence[Any],
    values: Stored,
    seed: tuple[bytes, str] | None,
) -> Lineage:
    writes: list[Write] = []
    for id_, flat in points:
        wanted = {
            name: record
            for name, record in pairs(flat).items()
            if json.loads(head_of(record))[0] == channel
        }
        writes[:0] = _writes(storage, space, id_.decode(), wanted)
        if seed is not None and id_ == seed[0]:
            chain = chain_of(storage, space, channel, seed[1], values)
            value = storage.values.loads(chain.typed, f"channel {channel!r}")
            return Lineage(tuple(writes), has_value=True, value=value)
    return Lineage(tuple(writes), has_value=False)


class Listing:
    """Reads the points of a space page by page, the newest first.

    Of `size` points the metadata are looked at in one request, as far as `matches` is given.
    """

    def __init__(
        self,
        storage: Storage,
        space: Space,
        *,
        before: str = "",
        matches: Callable[[Mapping[str, Any]], bool] | None = None,
        depth: Depth = WHOLE,
        size: int = PAGE,
    ) -> None:
        self._storage = storage
        self._space = space
        self._matches = matches
        self._depth: Depth = depth
        self._size = size
        self.before = before
        """The point before which the next page is."""
        self.is_over = False
        """Whether there is no further page."""

    def page(self, limit: int | None) -> Plan[list[Read]]:
        """Return the next points whose metadata match, at most so many; may be none of a page.

        Those of its last page beyond the limit are passed over.
        """
        calls, space = self._storage.calls, self._space
        room = self._size if limit is None else min(self._size, limit)
        if self._matches is None:
            reply = yield calls.newest(space, room, self.before, self._depth)
            self._turn(reply[0], room)
            return read_points(self._storage, space, reply)
        heads, _ = yield calls.newest(space, self._size, self.before, RECORD)
        wanted = [
            id_.decode()
            for id_, record, *_ in heads
            if self._matches(metadata_of(self._storage, space, id_.decode(), record))
        ][:limit]
        self._turn(heads, self._size)
        if not wanted:
            return []
        reply = yield calls.points(space, wanted, self._depth)
        return read_points(self._storage, space, reply)

    def _turn(self, read: Sequence[Any], asked: int) -> None:
        self.is_over = len(read) < asked
        if read:
            self.before = read[-1][0].decode()


def spaces_of(storage: Storage, thread_id: str) -> Plan[list[Space]]:
    """Return the spaces of a thread, sorted by namespace."""
    return [space for space, _ in (yield from rooted_spaces(storage, thread_id))]


def rooted_spaces(storage: Storage, thread_id: str) -> Plan[list[tuple[Space, str]]]:
    """Return the spaces of a thread, each with the root point that it hangs on, "" for none."""
    key = storage.calls.keys.thread(Space(thread_id).thread)
    return spaces_in(thread_id, pairs((yield "HGETALL", key)))


def spaces_in(thread_id: str, fields: Stored) -> list[tuple[Space, str]]:
    """Return the same of the fields of a thread."""
    named = [json.loads(text) for name, text in fields.items() if name.startswith(b"space:")]
    return [(Space(thread_id, namespace), root) for namespace, root in sorted(named)]


# -- what replies hold --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Read:
    """A point, and the values of its channels as bytes."""

    point: Point
    chains: Mapping[str, Chain]
    told: Sequence[bytes] = ()
    """What is told of it, if that was read: its snapshot, its values with pending writes."""


def read_points(storage: Storage, space: Space, reply: Any) -> list[Read]:
    """Read the reply to a call of points."""
    points, flat = reply
    values = pairs(flat)
    return [
        dataclasses.replace(
            _point(storage, space, id_.decode(), record, pairs(writes), values), told=told
        )
        for id_, record, writes, *told in points
    ]


def _point(
    storage: Storage, space: Space, id_: str, record: bytes, writes: Stored, values: Stored
) -> Read:
    head = PointHead.of(record)
    checkpoint, metadata = _kept(storage, space, id_, record)
    checkpoint.setdefault("channel_versions", dict(head.versions))
    chains = {
        channel: chain_of(storage, space, channel, version, values)
        for channel, version in head.versions.items()
        if value_field(channel, version).encode() in values
    }
    checkpoint["channel_values"] = {
        channel: storage.values.loads(chain.typed, f"channel {channel!r}")
        for channel, chain in chains.items()
    }
    ordered = _writes(storage, space, id_, writes)
    return Read(Point(space, id_, head.parent, checkpoint, metadata, tuple(ordered)), chains)


def metadata_of(storage: Storage, space: Space, id_: str, record: bytes) -> Mapping[str, Any]:
    """Return the metadata of a point's record."""
    return _kept(storage, space, id_, record)[1]


def _kept(
    storage: Storage, space: Space, id_: str, record: bytes
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the checkpoint of a point, without its values, and the metadata."""
    typed = storage.records.read(space, point_field(id_), record)
    checkpoint, metadata = storage.values.loads(typed, f"point {id_}")
    return checkpoint, metadata


def _writes(storage: Storage, space: Space, id_: str, stored: Stored) -> list[Write]:
    writes: list[Write] = []
    for name, record in stored.items():
        task_id, number = read_write_name(name.decode())
        channel, path = json.loads(head_of(record))
        typed = storage.records.read(space, write_field(id_, name.decode()), record)
        value = storage.values.loads(typed, f"a pending write to {channel!r}")
        writes.append(Write(task_id, channel, value, path, number))
    return sorted(writes, key=lambda write: (write.path, write.task_id, write.number))


def _remember(storage: Storage, read: Read) -> None:
    """Note the lists of a point: what is put next will continue them."""
    versions = read.point.checkpoint["channel_versions"]
    for channel, chain in read.chains.items():
        version = versions[channel]
        items = ListBytes.of(chain.typed) if storage.grows and is_ours(version) else None
        if items is not None:
            known = items.known(version, chain.link, chain.skip)
            storage.lists.set(read.point.space, channel, known)


def pairs(flat: Any) -> dict[bytes, bytes]:
    """Return the fields of a hash by their names, of a reply."""
    if isinstance(flat, dict):  # as redis-py gives the reply of HGETALL
        return cast("dict[bytes, bytes]", flat)
    return dict(zip(flat[::2], flat[1::2], strict=True))
