"""Plans that store points and pending writes."""

from __future__ import annotations

__all__ = ["applied_record", "put", "put_writes", "tell"]

import logging
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, cast

from penstock.langgraph.redis.calls import NewValue, NewWrite, Plan, Request
from penstock.langgraph.redis.growing import Known, ListBytes
from penstock.langgraph.redis.keys import (
    Space,
    applied_field,
    names_of,
    point_field,
    snapshot_field,
    to_bytes,
    value_field,
    write_field,
    write_name,
)
from penstock.langgraph.redis.point import Point, PointHead, Write, write_head
from penstock.langgraph.redis.record import Typed
from penstock.langgraph.redis.snapshot import Snapshot
from penstock.langgraph.redis.storage import Storage
from penstock.langgraph.redis.versions import is_ours, version_text
from penstock.publisher.errors import CodecError
from penstock.runtime.errors import ThreadBusyError

logger = logging.getLogger(__name__)


class Draft(NamedTuple):
    """A value to be stored: what of it, and what the next version has to know of it."""

    typed: Typed
    new: NewValue
    known: Known | None = None

    @property
    def channel(self) -> str:
        """The channel that the value is of."""
        return self.new.channel


def put(storage: Storage, point: Point, new_versions: Mapping[str, Any]) -> Plan[None]:
    """Store a point with the values of its new versions; again with the same id: in its place.

    Raises:
        CodecError: a value holds what may not, or cannot, be stored; nothing was stored.
        ThreadBusyError: a run of a worker is at work on the thread; nothing was stored.
    """
    values: Mapping[str, Any] = point.checkpoint["channel_values"]
    drafts = [
        _draft(storage, point, channel, version_text(version), values[channel])
        for channel, version in new_versions.items()
        if channel in values
    ]
    removed = [
        NewValue(channel, version_text(version))
        for channel, version in new_versions.items()
        if channel not in values
    ]
    root, record = str(point.metadata.get("parents", {}).get("", "")), _record(storage, point)

    def call() -> Request:
        new = [*removed, *(draft.new for draft in drafts)]
        return storage.calls.put(point.space, root, point.id, record, new)

    while reply := (yield call()):
        _check_idle(point.space, reply)
        # Versions to be continued were deleted meanwhile.
        drafts = [_in_full(storage, point.space, draft) for draft in drafts]
    for draft in drafts:
        if draft.known is not None:
            storage.lists.set(point.space, draft.channel, draft.known)


def put_writes(
    storage: Storage, space: Space, point_id: str, writes: Iterable[Write], what: str
) -> Plan[None]:
    """Store what a task gave to channels; `what` names the task, as "node 'n'".

    Of two writes of one index the first one stays, and the last one if the index is negative.

    Raises:
        CodecError: a value holds what may not, or cannot, be stored; nothing was stored.
    """
    new: list[NewWrite] = []
    for task_id, channel, value, path, number in writes:
        name = write_name(task_id, number)
        try:
            typed = storage.values.dumps(value, f"{what} wrote {channel!r}")
        except CodecError as error:
            storage.refusals.add(space, point_id, channel, error)
            raise
        field, head = write_field(point_id, name), write_head(channel, path)
        new.append(NewWrite(name, storage.records.write(space, field, head, typed), number >= 0))
    _check_idle(space, (yield storage.calls.put_writes(space, point_id, new)))


def tell(
    storage: Storage, space: Space, point_id: str, told: Snapshot, applied: Mapping[str, Any]
) -> Plan[None]:
    """Store what readers without the graph see of a point, and its values that only it can tell."""
    row = [to_bytes(snapshot_field(point_id)), to_bytes(told.text)]
    record = applied_record(storage, space, point_id, applied) if applied else None
    if record is not None:
        row += [to_bytes(applied_field(point_id)), record]
    yield "HSET", names_of(storage.calls.keys, space)[1], *row


def applied_record(
    storage: Storage, space: Space, point_id: str, values: Mapping[str, Any]
) -> bytes | None:
    """Return the record of a point's values that only the graph can tell.

    None if there is no form for one, or it is too large: all that they are made of is stored.
    """
    try:
        typed = storage.values.dumps(dict(values), f"values of point {point_id}")
    except CodecError as error:
        logger.warning("point %s is shown without what came since: %s", point_id, error)
        return None
    return storage.records.write(space, applied_field(point_id), "", typed)


def _draft(storage: Storage, point: Point, channel: str, version: str, value: Any) -> Draft:
    space = point.space
    try:
        typed = storage.values.dumps(value, f"channel {channel!r} was given a value")
    except CodecError as error:
        refused = storage.refusals.of(space, point.parent, channel)
        if refused is None:
            raise
        raise refused from error
    # Of a version that is not ours another value may be stored later, which the next must not meet.
    items = ListBytes.of(typed) if storage.grows and is_ours(version) else None
    if items is None:
        return _in_full(storage, space, Draft(typed, NewValue(channel, version)))
    known = storage.lists.get(space, channel, version)
    found = items.after(known)
    if known is None or found is None:
        whole = Draft(typed, NewValue(channel, version), items.known(version, None, None))
        return _in_full(storage, space, whole)
    link, start = found
    end = Typed(typed.kind, items.body[start:])
    record = storage.records.write(space, value_field(channel, version), link.head, end)
    new = NewValue(channel, version, record, link.base)
    return Draft(typed, new, items.known(version, link, known.skip))


def _in_full(storage: Storage, space: Space, draft: Draft) -> Draft:
    channel, version = draft.new.channel, draft.new.version
    record = storage.records.write(space, value_field(channel, version), "", draft.typed)
    new = NewValue(channel, version, record)
    return Draft(draft.typed, new, draft.known and draft.known.in_full())


def _check_idle(space: Space, reply: Any) -> None:
    if isinstance(reply, bytes) and reply:
        run_id = reply.decode()
        raise ThreadBusyError(
            run_id,
            f"thread {space.thread_id!r} is busy: run {run_id!r} of the graph that workers execute "
            "on it is at work. Wait for its result, or cancel it.",
        )


def _record(storage: Storage, point: Point) -> bytes:
    kept = point.checkpoint.copy()
    del kept["channel_values"]
    versions = cast("dict[str, Any]", kept["channel_versions"])
    if all(map(is_ours, versions.values())):
        del kept["channel_versions"]  # the head has them
    head = PointHead(
        parent=point.parent,
        run=str(point.metadata.get("run_id") or ""),
        versions=dict(zip(versions, map(version_text, versions.values()), strict=True)),
    )
    typed = storage.values.dumps([kept, point.metadata], f"point {point.id} was to be stored")
    return storage.records.write(point.space, point_field(point.id), head.text, typed)
