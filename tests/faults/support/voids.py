"""The invariant of void words, read off a stored log by itself: I22 of `invariants`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tests.faults.support.snapshot import Entry

WORDS = ("custom", "message")


def left_standing(run_id: str, run: Mapping[str, str], log: Sequence[Entry]) -> Iterator[str]:
    """Give each word that a later attempt says again without having taken it back.

    And each retry that takes back more, or less, than its step has said and is not recorded.
    """
    if run.get("keep", "0") != "0" or run.get("durability") == "exit":
        return  # the log is trimmed, or what it calls finished is not recorded
    words = _Words()
    began = False
    for entry in log:
        wrong = words.take(entry)
        if wrong is not None:
            yield f"I22 run {run_id}: {entry.tree} leaves what was said from {wrong} on"
        if entry.mode == "run.started":
            if began and words.first:
                yield f"I22 run {run_id}: attempt {entry.attempt} says again {words.first}"
            began = True


class _Words:
    """The seq of the first word of each step that is neither recorded nor taken back."""

    def __init__(self) -> None:
        self.first: dict[str, int] = {}

    def take(self, entry: Entry) -> int | None:
        """Take the next event; returns the seq that a retry should have named and has not."""
        data = entry.tree["data"]
        if entry.mode in WORDS:
            self.first.setdefault("/".join(entry.tree.get("ns", [])), entry.seq)
        elif entry.mode == "step.finished" and data.get("recorded", True):
            for step_id in self._with_all_below(data["id"]):
                del self.first[step_id]
        elif entry.mode == "step.retry":
            first = self.first.pop(data["id"], data["void_from"])
            return first if first != data["void_from"] else None
        return None

    def _with_all_below(self, step_id: str) -> list[str]:
        return [each for each in self.first if each == step_id or each.startswith(f"{step_id}/")]
