"""Events as Redis hands them over: a frame off the channel, a page of the stored list.

Both hold consecutive events of one run, decoded once however many subscribers read them.
"""

from __future__ import annotations

__all__ = ["Frame", "Page", "read_page"]

import json
from collections.abc import Sequence
from typing import Any

from penstock.publisher.codec.codec import Codec
from penstock.publisher.errors import CodecError
from penstock.publisher.event import FETCH, Event, build, parse
from penstock.publisher.keys import EventKeys
from penstock.publisher.stored import Part, Plan, Stored, read

_NOWHERE = 1 << 63


class Frame:
    """One message of a run's channel.

    A line that cannot be read counts as an event that is missing: the stored list decides, the
    channel is only faster.
    """

    __slots__ = ("_events", "_lines", "first", "last", "weight")

    def __init__(self, message: bytes) -> None:
        first, *self._lines = message.split(b"\n")
        self.first = int(first) if first.isdigit() and len(first) < 19 else _NOWHERE
        self.last = self.first + len(self._lines) - 1
        self.weight = len(message) + 512 * len(self._lines)
        self._events: list[Event] | None = None

    def events(self, run_id: str, codec: Codec) -> list[Event]:
        """The events up to the first that has to be fetched."""
        if self._events is None:
            self._events = self._decode(run_id, codec)
            self._lines = []
        return self._events

    def _decode(self, run_id: str, codec: Codec) -> list[Event]:
        lines = self._lines
        if FETCH in lines:
            lines = lines[: lines.index(FETCH)]
        try:
            trees = json.loads(b"[" + b",".join(lines) + b"]")
            if len(trees) != len(lines):
                return []
            return [
                build(tree, seq, run_id, codec) for seq, tree in enumerate(trees, start=self.first)
            ]
        except (ValueError, RecursionError, CodecError):
            return []


class Page:
    """Consecutive events of a run's stored list; `dropped`: how many older ones it has lost."""

    __slots__ = ("_trees", "dropped", "events", "length", "refs", "weight")

    def __init__(self, stored: Sequence[Stored], run_id: str, dropped: int = 0) -> None:
        self.length = len(stored)
        self.dropped = dropped
        self.weight = 0
        self.refs: list[str] = []
        self.events: list[Event] = []
        self._trees: list[tuple[int, dict[str, Any]]] = []
        for seq, line in stored:
            self.weight += len(line)
            tree = parse(line, seq, run_id)
            if "ref" in tree:
                self.refs.append(tree["ref"])
            self._trees.append((seq, tree))

    def decode(self, outcomes: Sequence[bytes | None], run_id: str, codec: Codec) -> Page:
        """Fill in `events`, with one outcome for each of `refs`."""
        self.weight += sum(len(text) for text in outcomes if text)
        texts = iter(outcomes)
        self.events = [
            build(tree, seq, run_id, codec, next(texts) if "ref" in tree else None)
            for seq, tree in self._trees
        ]
        self._trees = []
        return self


def read_page(keys: EventKeys, run_id: str, part: Part, codec: Codec) -> Plan[Page]:
    """Plan to read a part of a run's events, with the outcomes that they refer to.

    Raises:
        CodecError: the stored items are not events.
    """
    stored, dropped = yield from read(keys.events(run_id), part)
    page = Page(stored, run_id, dropped)
    outcomes: Sequence[bytes | None] = ()
    if page.refs:
        outcomes = yield ("HMGET", keys.checkpoints(run_id), *page.refs)
    return page.decode(outcomes, run_id, codec)
