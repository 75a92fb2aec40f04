"""What earlier attempts of a run have said in vain, read from its events. No IO."""

from __future__ import annotations

__all__ = ["Request", "unfinished"]

import json
from collections.abc import Container, Generator, Mapping
from typing import Any, Final, TypeAlias

Request: TypeAlias = "tuple[str | int, ...]"

PAGE: Final = 500
"""Events in one reply, at most."""


def unfinished(events: str, recorded: Container[str]) -> Generator[Request, Any, Mapping[str, int]]:
    """Plan to find what is void in a run's events: step id -> seq of the first word.

    Reads the stream of key `events` from its end back to the begin of the attempt before: what came
    earlier, that attempt has taken back itself. `recorded` has the ids of the steps that are not
    executed again.
    """
    past = _Past(recorded)
    newest = "+"
    while True:
        rows = yield ("XREVRANGE", events, newest, "-", "COUNT", PAGE)
        for name, fields in rows:
            tree: dict[str, Any] = json.loads(fields[b"e"])
            if tree["mode"] == "run.started":
                return past.words
            past.take(int(name.partition(b"-")[0]), tree)
        if len(rows) < PAGE:
            return past.words
        newest = f"({rows[-1][0].decode()}"


class _Past:
    """The events of an attempt, taken newest first."""

    def __init__(self, recorded: Container[str]) -> None:
        self.words: dict[str, int] = {}
        self._recorded = recorded
        self._kept: set[str] = set()
        self._void: set[str] = set()

    def take(self, seq: int, tree: Mapping[str, Any]) -> None:
        match tree["mode"]:
            case "step.finished" if tree["data"]["id"] in self._recorded:
                self._kept.add(tree["data"]["id"])
            case "step.retry":
                self._void.add(tree["data"]["id"])
            case "custom" | "message":
                path = tree.get("ns", [])
                step_id = "/".join(path)
                if step_id not in self._void and not self._is_kept(path):
                    self.words[step_id] = seq
            case _:
                pass

    def _is_kept(self, path: list[str]) -> bool:
        """Tell whether a step, or one that it was called in, is recorded."""
        if not self._kept:
            return False
        return any("/".join(path[:end]) in self._kept for end in range(1, len(path) + 1))
