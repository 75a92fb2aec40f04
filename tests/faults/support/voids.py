"""The invariant of void words, read off a stored log by itself: I22 of `invariants`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from penstock.runtime.journal.step_id import ancestry, step_name
from tests.faults.support.snapshot import Entry

WORDS = ("custom", "message")


def left_standing(run_id: str, run: Mapping[str, str], log: Sequence[Entry]) -> Iterator[str]:
    """Give each word that a later attempt says again without having taken it back.

    And each retry that takes back more, or less, than its step has said and is not recorded.
    """
    if run.get("keep", "0") != "0" or run.get("durability") == "exit":
        return  # the log is trimmed, or what it calls finished is not recorded
    remote = set(remote_steps(log))
    answered = any(entry.mode == "run.resumed" for entry in log)
    words = _Words(speak_at_once=bool(remote) or answered)
    began = False
    for entry in log:
        wrong = words.take(entry)
        if wrong is not None:
            yield f"I22 run {run_id}: {entry.tree} leaves what was said from {wrong} on"
        if entry.mode == "run.started":
            again = {
                step: seq
                for step, seq in words.first.items()
                if not remote.intersection(ancestry(step))
            }
            if began and again:
                yield f"I22 run {run_id}: attempt {entry.attempt} says again {again}"
            began = True


REMOTE: Final = ("remote", "far_square", "far_shaky", "far_nested")
"""Tasks of the soak with a queue of their own: a run may be at work while they are performed."""


def remote_steps(log: Sequence[Entry]) -> Iterator[str]:
    """Name the steps of a run that others perform."""
    for entry in log:
        if entry.mode == "run.suspended":
            yield from entry.tree["data"].get("steps", ())
        for step_id in _path(entry):
            if step_name(step_id) in REMOTE:
                yield step_id


def speaks_for(entry: Entry, steps: Collection[str]) -> bool:
    """Tell whether an event is of one of these steps, or of one that it has called."""
    return any(step_id in steps for step_id in _path(entry))


def _path(entry: Entry) -> list[str]:
    """Return the ids of the steps that an event is of, the outermost first."""
    data = entry.tree["data"]
    if entry.mode.startswith("step."):
        return ancestry(str(data["id"]))
    return ancestry("/".join(entry.tree.get("ns", []))) if entry.mode in WORDS else []


class _Words:
    """The seq of the first word of each step that is neither recorded nor taken back.

    A run, its remote steps and those who answer it speak at the same time, and each attempt counts
    on from what it knew as it began. So a retry may name a seq before the first word: what is of
    the same step there was void already.
    """

    def __init__(self, *, speak_at_once: bool) -> None:
        self.first: dict[str, int] = {}
        self._speak_at_once = speak_at_once

    def take(self, entry: Entry) -> int | None:
        """Take the next event; returns the seq that a retry should have named and has not."""
        data = entry.tree["data"]
        if entry.mode in WORDS:
            self.first.setdefault("/".join(entry.tree.get("ns", [])), entry.seq)
        elif entry.mode == "step.finished" and data.get("recorded", True):
            for step_id in self._with_all_below(data["id"]):
                del self.first[step_id]
        elif entry.mode == "step.retry":
            first, named = self.first.pop(data["id"], data["void_from"]), data["void_from"]
            return None if named == first or (self._speak_at_once and named < first) else first
        return None

    def _with_all_below(self, step_id: str) -> list[str]:
        return [each for each in self.first if each == step_id or each.startswith(f"{step_id}/")]
