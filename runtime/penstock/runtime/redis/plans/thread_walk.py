"""A walk through the runs of a thread, the newest first; see `run_lists`."""

from __future__ import annotations

__all__ = ["ThreadWalk"]

from collections.abc import Sequence
from typing import Any, Final

from penstock.runtime.redis.keys import Keys, thread_key
from penstock.runtime.redis.plans.requests import Plan
from penstock.runtime.redis.plans.run_lists import Entry


class ThreadWalk:
    """The runs of a thread: those that wait for their turn, then those of its history."""

    PART: Final = 50
    WAITING: Final = -1

    def __init__(self, keys: Keys, thread_id: str, place: Any = None) -> None:
        self._keys = keys
        self._thread_id = thread_id
        self._key = thread_key(thread_id)
        self._place: tuple[int, str] | None = (int(place[0]), str(place[1])) if place else None
        """The number of the checkpoint that the walk is at, or WAITING, and the run."""

    def look(self, count: int) -> Plan[list[Entry]]:
        """Read the next entries, those of a part of the history; none at the end."""
        del count  # the entries of a history are large, so that a few are read at a time
        head = yield ("HGET", self._keys.thread(self._key), "head")
        if head is None:  # it may be a run's own, which has no keys
            return [] if self._place else [Entry(self._thread_id, 1, is_of_thread=True)]
        found: list[Entry] = []
        if self._place is None or self._place[0] == self.WAITING:
            found = yield from self._waiting()
            if not found:
                self._place = int(head) + 1, ""
        while not found and self._place and self._place[0] > 1:
            found = yield from self._history(int(head), self._place[0])
        return found

    def _waiting(self) -> Plan[list[Entry]]:
        reply = yield ("LRANGE", self._keys.waiting(self._key), 0, -1)
        names = [name.decode() for name in reply]
        if self._place:
            names = names[: names.index(self._place[1])] if self._place[1] in names else []
        return [Entry(name, self.WAITING, is_of_thread=True) for name in reversed(names)]

    def _history(self, head: int, number: int) -> Plan[list[Entry]]:
        end = number - 2 - head  # the newest is at -1, and its number is the head
        texts = yield ("LRANGE", self._keys.history(self._key), end - self.PART, end)
        lines = [text.partition(b"\n")[0].decode().split(" ") for text in reversed(texts)]
        self._place = int(lines[-1][0]) if lines else 1, ""
        return [
            Entry(line[4], int(line[0]), is_of_thread=True)
            for line in lines
            if line[1] == "input" and line[4]
        ]

    def skip(self, entries: Sequence[Entry]) -> None:
        """Go on behind entries that were looked at, the first ones."""
        if entries:
            self._place = entries[-1].time, entries[-1].run_id

    def place(self) -> Any:
        """Return the place of the walk, as JSON has it."""
        return list(self._place) if self._place else []
