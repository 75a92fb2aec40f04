"""Plans that go through all threads."""

from __future__ import annotations

__all__ = ["AllThreads"]

from typing import Final

from penstock.langgraph.redis.calls import Plan
from penstock.langgraph.redis.keys import Space
from penstock.langgraph.redis.plans.reading import pairs, spaces_in
from penstock.langgraph.redis.storage import Storage

PAGE: Final = 1000
"""Names of keys that Redis looks at in one call."""


class AllThreads:
    """Reads the spaces of all threads, one thread after another, in no order.

    It looks through the names of all keys, but no further than it is asked: who wants a few threads
    does not wait for all.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._pattern = storage.calls.keys.thread("?" * 32)
        self._names: list[bytes] = []
        self._seen: set[bytes] = set()
        self._cursor: int | None = None

    @property
    def is_over(self) -> bool:
        """Whether there is no further thread."""
        return self._cursor == 0 and not self._names

    def spaces(self) -> Plan[list[Space]]:
        """Return the spaces of the next thread, sorted by namespace; perhaps none."""
        if not self._names:
            cursor, names = yield "SCAN", self._cursor or 0, "MATCH", self._pattern, "COUNT", PAGE
            self._cursor = int(cursor)
            self._names = sorted(set(names) - self._seen)  # SCAN may give a name twice
            self._seen.update(self._names)
            return []
        fields = pairs((yield "HGETALL", self._names.pop(0)))
        if b"id" not in fields:  # it is gone meanwhile
            return []
        thread_id = fields[b"id"].decode("utf-8", "surrogatepass")
        return [space for space, _ in spaces_in(thread_id, fields)]
