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
    open_words: dict[str, int] = {}
    began = False
    for entry in log:
        data = entry.tree["data"]
        if entry.mode in WORDS:
            open_words.setdefault("/".join(entry.tree.get("ns", [])), entry.seq)
        elif entry.mode == "step.finished":
            for step_id in _with_all_below(open_words, data["id"]):
                del open_words[step_id]
        elif entry.mode == "step.retry":
            first = open_words.pop(data["id"], None)
            if first is not None and data["void_from"] != first:
                yield f"I22 run {run_id}: {entry.tree} leaves what was said from {first} on"
        elif entry.mode == "run.started":
            if began and open_words:
                yield f"I22 run {run_id}: attempt {entry.attempt} says again {open_words}"
            began = True


def _with_all_below(words: Mapping[str, int], step_id: str) -> list[str]:
    return [each for each in words if each == step_id or each.startswith(f"{step_id}/")]
