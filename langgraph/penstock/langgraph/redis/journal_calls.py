"""The calls of graphs in an attempt of a run: what they store goes through the run's journal."""

from __future__ import annotations

__all__ = ["JournalCalls"]

import json
from collections.abc import Iterable

from penstock.langgraph.redis.calls import GraphCalls, NewValue, NewWrite, Puts
from penstock.langgraph.redis.keys import (
    GraphKeys,
    Space,
    applied_field,
    point_field,
    snapshot_field,
    to_bytes,
    value_field,
    write_field,
)
from penstock.langgraph.redis.snapshot import Snapshot
from penstock.runtime.journal.graph_host import GraphHost
from penstock.runtime.journal.put import Put, Verb


class JournalCalls(GraphCalls):
    """Builds the calls of one attempt, which store what those of `GraphCalls` do."""

    def __init__(self, keys: GraphKeys, host: GraphHost) -> None:
        super().__init__(keys)
        self._host = to_bytes(host.text)
        self._there: set[tuple[Space, str]] = set()
        self._named: dict[Space, str] = {}
        """What the journal has of each space itself; "" where it was there, or is."""

    def take(self, request: Puts) -> None:
        """Take note that something is in the journal: what follows need not say it again."""
        if request.named is not None:
            self._named[request.space] = request.named
        if request.is_point:
            self.note(request.space, request.point_id)

    def note(self, space: Space, point_id: str) -> None:
        """Take note that a point is in the journal, or stored: what follows it needs it."""
        self._there.add((space, point_id))

    def put(
        self, space: Space, root: str, point_id: str, record: bytes, values: Iterable[NewValue]
    ) -> Puts:
        """Store a point with its new values."""
        place = space.place
        named = json.dumps([space.namespace, root])
        puts = self._of_space(space, named) if self._named.get(space) != named else []
        for channel, version, value, base in values:
            field = to_bytes(value_field(channel, version))
            if base:
                puts.append(Put("need", place, to_bytes(value_field(channel, base))))
            puts.append(Put("set", place, field, value) if value else Put("drop", place, field))
        puts.append(Put("set", place, to_bytes(point_field(point_id)), record))
        puts.append(Put("order", f"{place}:order", to_bytes(point_id)))
        return Puts(tuple(puts), space, point_id, is_point=True, named=named)

    def put_writes(self, space: Space, point_id: str, writes: Iterable[NewWrite]) -> Puts:
        """Store pending writes of a point, which may come later than they."""
        place = space.place
        is_new = space not in self._named
        puts = self._of_space(space, json.dumps([space.namespace, ""]), "new") if is_new else []
        if (space, point_id) in self._there:
            puts.append(Put("need", place, to_bytes(point_field(point_id))))
        names = to_bytes(f"t {point_id}")
        for name, record, first_wins in writes:
            field = to_bytes(write_field(point_id, name))
            puts += (
                Put("line", place, names, to_bytes(name)),
                Put("new" if first_wins else "set", place, field, record),
            )
        named = "" if is_new else None
        return Puts(tuple(puts), space, point_id, is_point=False, named=named)

    def snapshot(self, space: Space, point_id: str, snapshot: Snapshot) -> Put:
        """Store what is told of a point."""
        field = snapshot_field(point_id)
        return Put("set", space.place, to_bytes(field), to_bytes(snapshot.text))

    def applied(self, space: Space, point_id: str, record: bytes) -> Put:
        """Store a point's values with its pending writes."""
        return Put("set", space.place, to_bytes(applied_field(point_id)), record)

    def _of_space(self, space: Space, named: str, verb: Verb = "set") -> list[Put]:
        """Say which space it is, and that its thread lives and ends with the thread of its runs."""
        thread, field = space.thread, f"space:{space.digest}".encode()
        return [
            Put("set", thread, b"id", to_bytes(space.thread_id)),
            Put("set", thread, b"hosted", self._host),
            Put(verb, thread, field, to_bytes(named)),
        ]
