"""What must not be there of features that nobody uses: I40 of `invariants`."""

from __future__ import annotations

from collections.abc import Iterator

from tests.faults.support.listed import facets_of
from tests.faults.support.snapshot import Snapshot

DIGITS = 6
"""Of the time before the id of a run, in the lists of those that are over."""


def used_unasked(now: Snapshot) -> Iterator[str]:
    """Name what is kept of a run for a feature that it does not use."""
    runs = now.runs()
    for entry in now.hooks:
        run = runs.get(entry.get("run", ""), {"hooks": "gone"})
        if "hooks" not in run:
            yield f"I40 webhooks are told of run {entry['run']}, which has none"
    yield from _listed_unasked(now)
    for run_id, run in runs.items():
        if "pin" in run and "version" not in run:
            yield f"I40 run {run_id} is pinned to no version"


def _listed_unasked(now: Snapshot) -> Iterator[str]:
    runs, start = now.runs(), f"{now.prefix}:over:"
    lists = {key: entries for key, entries in now.members.items() if key.startswith(start)}
    for key, entries in lists.items():
        facet = key.removeprefix(start).split(":", 3)[-1]
        for run_id in {entry[DIGITS:] for entry in entries} & runs.keys():
            # One that was resumed, or failed of something else, stands by the cause it had.
            if not facet.startswith("cause:") and facet not in facets_of(runs[run_id]):
                yield f"I40 run {run_id} is listed by {facet}, which it does not have"
