"""The calls of graphs in an attempt of a run: what they store goes through the run's journal."""

from __future__ import annotations

__all__ = ["JournalCalls"]

import json
from collections.abc import Iterable

from penstock.langgraph.redis.calls import GraphCalls, NewValue, NewWrite, Puts
from penstock.langgraph.redis.keys import (
    GraphKeys,
    Space,
    point_field,
    to_bytes,
    value_field,
    write_field,
)
from penstock.runtime.journal.put import Put


class JournalCalls(GraphCalls):
    """Builds the calls of one attempt, which store what those of `GraphCalls` do."""

    def __init__(self, keys: GraphKeys) -> None:
        super().__init__(keys)
        self._there: set[tuple[Space, str]] = set()

    def note(self, space: Space, point_id: str) -> None:
        """Take note that a point is in the journal, or stored: what follows it needs it."""
        self._there.add((space, point_id))

    def put(
        self, space: Space, root: str, point_id: str, record: bytes, values: Iterable[NewValue]
    ) -> Puts:
        """Store a point with its new values."""
        thread, place = space.thread, f"{space.thread}:{space.digest}"
        named = json.dumps([space.namespace, root])
        puts = [
            *_of_thread(space),
            Put("set", thread, f"space:{space.digest}".encode(), to_bytes(named)),
        ]
        for value in values:
            field = to_bytes(value_field(value.channel, value.version))
            if value.base:
                puts.append(Put("need", place, to_bytes(value_field(value.channel, value.base))))
            if value.record:
                puts.append(Put("set", place, field, value.record))
            else:
                puts.append(Put("drop", place, field))
        puts.append(Put("set", place, to_bytes(point_field(point_id)), record))
        puts.append(Put("order", f"{place}:order", to_bytes(point_id)))
        return Puts(tuple(puts), space, point_id, is_point=True)

    def put_writes(self, space: Space, point_id: str, writes: Iterable[NewWrite]) -> Puts:
        """Store pending writes of a point, which may come later than they."""
        thread, place = space.thread, f"{space.thread}:{space.digest}"
        named = json.dumps([space.namespace, ""])
        puts = [
            *_of_thread(space),
            Put("new", thread, f"space:{space.digest}".encode(), to_bytes(named)),
        ]
        if (space, point_id) in self._there:
            puts.append(Put("need", place, to_bytes(point_field(point_id))))
        for write in writes:
            field = to_bytes(write_field(point_id, write.name))
            names = to_bytes(f"t {point_id}")
            puts.append(Put("line", place, names, to_bytes(write.name)))
            puts.append(Put("new" if write.first_wins else "set", place, field, write.record))
        return Puts(tuple(puts), space, point_id, is_point=False)


def _of_thread(space: Space) -> tuple[Put, ...]:
    """Say which thread it is, and that it lives and ends with the thread of its runs."""
    thread = space.thread
    return Put("set", thread, b"id", to_bytes(space.thread_id)), Put("set", thread, b"hosted", b"1")
