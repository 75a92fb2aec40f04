"""What earlier attempts of a run have said in vain, read from its events. No IO."""

from __future__ import annotations

__all__ = ["unfinished"]

import json
from collections.abc import Container, Mapping
from typing import Any, Final

from penstock.publisher.stored import Part, Plan, read
from penstock.runtime.journal.remote_call import ARGUMENTS
from penstock.runtime.journal.step_id import ancestry

PAGE: Final = 100
"""Events in one reply, at most."""


def unfinished(
    events: str, last: int, recorded: Container[str], step_id: str = ""
) -> Plan[Mapping[str, int]]:
    """Plan to find what is void in a run's events: step id -> seq of the first word.

    Reads the list at key `events` from seq `last` back to the begin of the attempt before: what
    came earlier, that attempt has taken back itself. `recorded` has the ids of the steps that are
    not executed again, and the arguments of those that others perform. With the id of a remote
    step, it is the attempts of this one that count, and what was said in it.
    """
    past = _Past(recorded, step_id)
    dropped = 0
    while last > dropped:
        found, dropped = yield from read(events, Part(last - PAGE + 1, PAGE, dropped))
        for seq, text in reversed(found):
            if seq > last:
                continue  # the page begins later than it was to, with the oldest that is kept
            tree: dict[str, Any] = json.loads(text)
            if past.is_begin(tree):
                return past.words
            past.take(seq, tree)
        last = last - PAGE if found else 0
    return past.words


class _Past:
    """The events of an attempt, taken newest first."""

    def __init__(self, recorded: Container[str], step_id: str) -> None:
        self._step_id = step_id
        self.words: dict[str, int] = {}
        self._recorded = recorded
        self._kept: set[str] = set()
        self._void: set[str] = set()

    def is_begin(self, tree: Mapping[str, Any]) -> bool:
        """Tell whether an event is the begin of an attempt."""
        if self._step_id:
            return bool(tree["mode"] == "step.started" and tree["data"]["id"] == self._step_id)
        return bool(tree["mode"] == "run.started")

    def take(self, seq: int, tree: Mapping[str, Any]) -> None:
        match tree["mode"]:
            case "step.finished" if tree["data"]["id"] in self._recorded:
                self._kept.add(tree["data"]["id"])
            case "step.retry":
                self._void.add(tree["data"]["id"])
            case "custom" | "message":
                step_id = "/".join(tree.get("ns", []))
                is_settled = step_id in self._void or self._stays(step_id)
                if self._is_ours(step_id) and not is_settled:
                    self.words[step_id] = seq
            case _:
                pass

    def _is_ours(self, step_id: str) -> bool:
        return not self._step_id or f"{step_id}/".startswith(f"{self._step_id}/")

    def _stays(self, step_id: str) -> bool:
        """Tell whether a step, or one that it was called in, is recorded, or others perform it."""
        return any(
            above in self._kept
            or f"{ARGUMENTS}{above}" in self._recorded
            or f"@{above}" in self._recorded
            for above in ancestry(step_id)
        )
