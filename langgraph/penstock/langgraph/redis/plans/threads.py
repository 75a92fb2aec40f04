"""Plans about whole threads: delete, copy, prune."""

from __future__ import annotations

__all__ = ["copy", "delete", "delete_for_runs", "keep_latest", "keep_newest"]

from collections.abc import Sequence
from typing import Any, cast

from penstock.langgraph.redis.calls import RECORD, Plan, Request
from penstock.langgraph.redis.keys import Space, names_of
from penstock.langgraph.redis.namespace import nodes_of
from penstock.langgraph.redis.plans import reading
from penstock.langgraph.redis.plans.all_threads import AllThreads
from penstock.langgraph.redis.record import head_of
from penstock.langgraph.redis.storage import Storage
from penstock.publisher.errors import ConfigurationError

PAGE = 256
"""Points that are deleted at once, and fields that are written at once."""

CLEAR = ("t ", "s ")
"""Begin the names of fields that are never sealed."""

COUNTERS = "counters_since_delta_snapshot"
"""Metadata that name the delta channels whose value is not stored with the point."""


def delete(storage: Storage, thread_id: str) -> Plan[None]:
    """Delete a thread."""
    yield storage.calls.delete(Space(thread_id).thread)


def delete_for_runs(storage: Storage, run_ids: Sequence[str]) -> Plan[None]:
    """Delete the points that runs have made, in all threads."""
    if not run_ids:
        return
    threads = AllThreads(storage)
    while not threads.is_over:
        for space in (yield from threads.spaces()):
            ids = yield storage.calls.of_runs(space, run_ids)
            yield from _forget(storage, space, [id_.decode() for id_ in ids])


def keep_latest(storage: Storage, thread_id: str) -> Plan[bool]:
    """Delete all points of a thread but the newest of each space, and those that it needs.

    A channel that stores only what it was given needs its ancestors, back to a whole value. Tells
    whether all was done: nothing more is deleted once a run of a worker is open on the thread.
    """
    for space in (yield from reading.spaces_of(storage, thread_id)):
        ids: Sequence[bytes] = yield "ZRANGE", names_of(storage.calls.keys, space)[2], 0, -1
        kept = yield from _needed(storage, space, storage.calls.newest(space, 1, depth=RECORD))
        if kept:
            old = [id_.decode() for id_ in ids if id_.decode() not in kept]
            if not (yield from _forget(storage, space, old, head=max(kept))):
                return False
    return True


def keep_newest(storage: Storage, thread_id: str, count: int, *, most: int) -> Plan[None]:
    """Delete all points of a thread but for so many of the newest, and those that these need.

    Nothing is done as long as the graph itself has at most `most`.

    Subgraphs that remember keep as many; those of tasks go with the point that they hang on, also
    where it went before and the process died then.
    """
    if (yield "ZCARD", names_of(storage.calls.keys, Space(thread_id))[2]) <= most:
        return
    floor, below = "", set[str]()
    hanging: list[tuple[Space, str]] = []
    for space, root in (yield from reading.rooted_spaces(storage, thread_id)):
        if nodes_of(space.namespace) != space.namespace:
            hanging.append((space, root))
            continue
        order = names_of(storage.calls.keys, space)[2]
        oldest: Sequence[bytes] = yield "ZRANGE", order, -count, -count
        if oldest:
            first = oldest[0].decode()
            kept = yield from _needed(storage, space, storage.calls.points(space, [first], RECORD))
            old: Sequence[bytes] = yield "ZRANGE", order, 0, -count - 1
            ids = [id_.decode() for id_ in old if id_.decode() not in kept]
            yield from _forget(storage, space, ids)
            if not space.namespace:
                floor, below = first, kept
    for space, root in hanging:
        if "" < root < floor and root not in below:
            ids = yield "ZRANGE", names_of(storage.calls.keys, space)[2], 0, -1
            yield from _forget(storage, space, [id_.decode() for id_ in ids])


def _needed(storage: Storage, space: Space, call: Request) -> Plan[set[str]]:
    """Return the point that a call finds, and those before it that its delta channels need."""
    heads, _ = yield call
    if not heads:
        return set()
    point_id, record = heads[0][0].decode(), heads[0][1]
    metadata = reading.metadata_of(storage, space, point_id, record)
    kept, channels = {point_id}, set(cast("dict[str, Any]", metadata.get(COUNTERS) or {}))
    while channels and point_id:
        kept.add(point_id)
        point = yield from reading.point(storage, space, point_id)
        if point is None:
            break
        channels -= point.checkpoint["channel_values"].keys()
        point_id = point.parent
    return kept


def _forget(storage: Storage, space: Space, ids: Sequence[str], head: str = "") -> Plan[bool]:
    for start in range(0, len(ids), PAGE):
        reply = yield storage.calls.forget(space, ids[start : start + PAGE], head)
        if reply == b"BUSY":
            return False
    return True


def copy(storage: Storage, source_id: str, target_id: str, nonce: str) -> Plan[None]:
    """Give a thread all that another one has; what is sealed is sealed anew for its new place.

    Raises:
        ConfigurationError: the thread has a state already.
    """
    sealed = storage.records.are_sealed
    target = Space(target_id)
    reply = yield storage.calls.copy(Space(source_id).thread, target, nonce, whole=not sealed)
    if reply == b"TAKEN":
        raise ConfigurationError(
            f"thread {target_id!r} has a state already: delete it first, or copy to another name."
        )
    if sealed:
        for space in (yield from reading.spaces_of(storage, source_id)):
            yield from _copy_sealed(storage, space, Space(target_id, space.namespace))
        if storage.calls.ttl is not None:
            yield storage.calls.keep(target.thread, storage.calls.ttl)


def _copy_sealed(storage: Storage, source: Space, target: Space) -> Plan[None]:
    records, keys = storage.records, storage.calls.keys
    _, from_space, from_order = names_of(keys, source)
    _, to_space, to_order = names_of(keys, target)
    ids: Sequence[bytes] = yield "ZRANGE", from_order, 0, -1
    cursor = 0
    while True:
        cursor, found = yield "HSCAN", from_space, cursor, "COUNT", PAGE
        row: list[bytes] = []
        for field, record in cast("dict[bytes, bytes]", found).items():
            name = field.decode()
            if not name.startswith(CLEAR):
                typed = records.read(source, name, record)
                record = records.write(target, name, head_of(record), typed)
            row += (field, record)
        if row:
            yield "HSET", to_space, *row
        if cursor == 0:
            break
    for start in range(0, len(ids), PAGE):  # from here on readers find them
        some = ids[start : start + PAGE]
        yield "ZADD", to_order, *(part for id_ in some for part in (0, id_))
