"""Events as Redis hands them over: a frame off the channel, a page of the stored stream.

Both hold consecutive events of one run, decoded once however many subscribers read them.
"""

from __future__ import annotations

__all__ = ["Frame", "Page", "events_in"]

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from penstock.publisher.codec import Codec
from penstock.publisher.errors import CodecError
from penstock.publisher.event import FETCH, Event, build, parse

_NOWHERE = 1 << 63


Entries: TypeAlias = Iterable[tuple[bytes, Mapping[bytes, bytes]]]


def events_in(entries: Entries) -> Iterator[tuple[int, bytes]]:
    """Give the events in entries of a stored stream: the seq and the text of each, in order.

    The id of an entry is the seq of its last event.
    """
    for entry, fields in entries:
        texts = [text for name, text in fields.items() if len(name) == 1] or [b""]  # not "op"
        yield from enumerate(texts, int(entry.partition(b"-")[0]) + 1 - len(texts))


class Frame:
    """One message of a run's channel.

    What cannot be read counts as an event that is not in it: the stored stream is the truth, a
    channel only brings it sooner.
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
    """Consecutive events of a run's stored stream, in entries as XRANGE returns them.

    The first of them may hold events before the one that was asked for: `start`.
    """

    __slots__ = ("_trees", "events", "length", "refs", "weight")

    def __init__(
        self, reply: Sequence[tuple[bytes, Mapping[bytes, bytes]]], run_id: str, start: int = 0
    ) -> None:
        self.length = len(reply)
        self.weight = 0
        self.refs: list[str] = []
        self.events: list[Event] = []
        self._trees: list[tuple[int, dict[str, Any]]] = []
        for seq, line in events_in(reply):
            if seq < start:
                continue
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
