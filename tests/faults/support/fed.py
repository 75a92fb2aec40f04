"""The feed, held against the stored events of runs: I37 of `invariants`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.faults.support.snapshot import Snapshot

CHANGES = ("run.queued", "run.interrupted", "run.resumed", "run.finished")


def fed_wrongly(now: Snapshot) -> Iterator[str]:
    """Name the runs whose changes the feed does not tell of as they are stored."""
    told: dict[str, list[Mapping[str, str]]] = {}
    for entry in now.feed:
        told.setdefault(entry["run"], []).append(entry)
    for run_id, run in {**now.runs(), **now.remotes()}.items():
        entries = told.get(run_id, [])
        if run["feed"] == "0":
            if entries:
                yield f"I37 the feed tells of run {run_id}, which is not in it"
            continue
        found = [(int(entry["seq"]), entry["event"]) for entry in entries]
        stored = [(each.seq, each.mode) for each in now.events(run_id) if each.mode in CHANGES]
        if run["keep"] != "0":  # the run has lost its oldest events
            found = _newest(found, len(stored))
        if len(now.feed) >= int(run["feed"]):  # the feed has lost its oldest entries
            stored = _newest(stored, len(found))
        if found != stored:
            yield f"I37 run {run_id}: the feed tells of {found}, stored are {stored}"
        yield from _last(run_id, run, entries)


def _newest(changes: list[tuple[int, str]], size: int) -> list[tuple[int, str]]:
    return changes[max(0, len(changes) - size) :]


def _last(run_id: str, run: Mapping[str, str], entries: list[Mapping[str, str]]) -> Iterator[str]:
    last = entries[-1] if entries else None
    if last is None or last["event"] != "run.finished":
        return
    thread = "" if run["own_thread"] == "1" else run["thread"]
    is_so = last["status"], last["entrypoint"], last["thread"], last["cause"], last["tags"]
    cause = run.get("cause", "") if run["status"] == "failed" else ""
    if is_so != (run["status"], run["entrypoint"], thread, cause, run["tags"]):
        yield f"I37 run {run_id} is {run}, the feed tells of {last}"
