"""What the tasks of a graph have said in vain, read from the events of its run. No IO."""

from __future__ import annotations

__all__ = ["said_in_vain"]

import json
from collections.abc import Mapping
from typing import Any, Final

from penstock.publisher.codec.codec import Codec
from penstock.publisher.stored import Part, Plan, read
from penstock.runtime.streaming.graph_chunks import GRAPH, WORDS

PAGE: Final = 100
"""Events in one reply, at most."""


def said_in_vain(events: str, last: int, codec: Codec) -> Plan[Mapping[str, int]]:
    """Plan to find the tasks that have said something and not finished: path -> first seq.

    Reads the list at key `events` from seq `last` back to the begin of the attempt before: what
    came earlier, that attempt has taken back itself. `codec` is the run's.
    """
    past = _Past(codec)
    dropped = 0
    while last > dropped:
        found, dropped = yield from read(events, Part(last - PAGE + 1, PAGE, dropped))
        for seq, text in reversed(found):
            if seq > last:
                continue  # the page begins later than it was to, with the oldest that is kept
            tree: dict[str, Any] = json.loads(text)
            if tree["mode"] == "run.started":
                return past.words
            past.take(seq, tree)
        last = last - PAGE if found else 0
    return past.words


class _Past:
    """The events of an attempt, taken newest first."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self.words: dict[str, int] = {}
        self._finished: list[str] = []
        self._void: set[str] = set()

    def take(self, seq: int, tree: Mapping[str, Any]) -> None:
        if tree["mode"] == "step.retry":
            self._void.add(tree["data"]["id"])
        if tree["mode"] != GRAPH:
            return
        data = self._codec.fact(GRAPH, tree["data"])
        path = "/".join(tree.get("ns", []))
        if "ended" in data:
            self._finished.append("/".join((*tree.get("ns", []), data["ended"])))
        elif data["mode"] in WORDS and path not in self._void and not self._stays(path):
            self.words[path] = seq

    def _stays(self, path: str) -> bool:
        return any(f"{path}/".startswith(f"{finished}/") for finished in self._finished)
