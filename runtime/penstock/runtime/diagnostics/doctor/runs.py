"""Checks of the runs: which are stuck, and which keys will never expire."""

from __future__ import annotations

__all__ = ["CHECKS"]

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from penstock.runtime.diagnostics.doctor.finding import Finding, Level, Reading
from penstock.runtime.types.code_name import describe, pinned

LATE: Final = 5.0
"""Seconds past the end of a lease by which some worker must have given the run back."""

NAMED: Final = 3
"""How many runs or keys a finding names."""


def _workers(reading: Reading) -> Iterator[Finding]:
    queued = reading.statuses.get("queued", 0)
    if reading.paused:
        yield Finding(
            "workers",
            Level.WARNING,
            f"all workers pause, {queued} runs are queued",
            "Somebody called `rq suspend`.",
            "rq resume",
        )
    unserved = sorted({*reading.unserved, *reading.unserved_steps})
    for queue in unserved:
        yield _unserved(queue, reading)
    yield from _lacking(reading)
    if reading.paused or unserved or reading.parked:
        return
    counts = [f"{count} {status}" for status, count in reading.statuses.items() if count]
    of_runs = "" if "statuses" in reading.refused else f"; runs: {', '.join(counts) or 'none'}"
    unread = reading.unread("workers", workers="which workers serve queues", queued="queued runs")
    if unread is not None:
        yield replace(unread, message=f"{unread.message}{of_runs}")
    else:
        alive = f"{reading.workers} alive" if reading.workers else "none alive, and none needed"
        yield Finding("workers", Level.OK, f"{alive}{of_runs}")


def _unserved(queue: str, reading: Reading) -> Finding:
    runs, steps = reading.unserved.get(queue, 0), reading.unserved_steps.get(queue, 0)
    waiting = [_count(runs, "run")] * (runs > 0) + [_count(steps, "step")] * (steps > 0)
    means = "They wait until such a worker starts."
    if steps:
        means = (
            "They wait until such a worker starts, and so do the runs that these steps belong to."
        )
    return Finding(
        "workers",
        Level.WARNING,
        f"no live worker serves queue {queue!r}, {' and '.join(waiting)} queued there",
        means,
        f"penstock worker flows.py -q {queue}",
    )


def _lacking(reading: Reading) -> Iterator[Finding]:
    """Name the code that workers lack, and queues that an older release puts tickets on."""
    for (queue, name), run_ids in sorted(reading.parked.items()):
        yield _parked(queue, name, run_ids)
    for queue, count in sorted(reading.misplaced.items()):
        yield Finding(
            "queues",
            Level.WARNING,
            f"{_count(count, 'ticket')} of this prefix on queue {queue!r} of the default prefix",
            "A process with an older release puts them there. Workers of this release serve the "
            "queue of their prefix, and put new tickets there after some seconds.",
            "end the apps and workers of the older release",
        )


def _parked(queue: str, name: str, run_ids: Sequence[str]) -> Finding:
    is_one = len(run_ids) == 1
    runs = f"{_count(len(run_ids), 'run')} on queue {queue!r}"
    if pinned(name) is not None:
        return Finding(
            "workers",
            Level.WARNING,
            f"{runs} {'is' if is_one else 'are'} pinned to {describe(name)}, which no live worker "
            f"has: {_names(run_ids)}",
            "They wait until such a worker starts, or until they are not pinned any more.",
            f"start a worker with that version, or penstock unpin {run_ids[0]}",
        )
    return Finding(
        "workers",
        Level.WARNING,
        f"{runs} {'waits' if is_one else 'wait'} for a worker that has {describe(name)}",
        "The workers that met these runs do not have it.",
        f"penstock worker <the file that defines it> -q {queue}",
    )


def _leases(reading: Reading) -> Iterator[Finding]:
    if unread := reading.unread("leases", expired="leases"):
        yield unread
        return
    late = {run_id: seconds for run_id, seconds in reading.expired.items() if seconds > LATE}
    if late:
        yield Finding(
            "leases",
            Level.PROBLEM,
            f"the lease of {_count(len(late), 'run')} ended up to {max(late.values()):.0f} s ago: "
            f"{_names(late)}",
            "Their workers have died, and no other worker takes them over.",
            "penstock worker flows.py, or penstock doctor --fix to requeue them",
        )
    else:
        yield Finding("leases", Level.OK, "none is over")


def _orphans(reading: Reading) -> Iterator[Finding]:
    if unread := reading.unread("orphans", queued="queued runs", orphans="their tickets"):
        yield unread
        return
    orphans = reading.orphans
    if orphans:
        yield Finding(
            "orphans",
            Level.PROBLEM,
            f"{_count(len(orphans), 'queued run')} without a ticket: {_names(orphans)}",
            "A queue was emptied, or a process died at a bad moment; a live worker requeues them.",
            "penstock doctor --fix",
        )
    else:
        yield Finding("orphans", Level.OK, "every queued run has its ticket")


def _leaks(reading: Reading) -> Iterator[Finding]:
    if unread := reading.unread("retention", leaks="all keys (SCAN)"):
        yield unread
        return
    read = f"{reading.keys_read:,} keys read"
    if not reading.all_keys_read:
        read = f"the first {read}, --all-keys reads them all"
    if reading.leaks:
        yield Finding(
            "retention",
            Level.WARNING,
            f"{_count(len(reading.leaks), 'key')} of runs that are over, without TTL: "
            f"{_names(reading.leaks)} ({read})",
            "They stay until they are deleted by hand.",
            f"{reading.cli} EXPIRE '{reading.leaks[0]}' 86400"
            + ("; and so on" if len(reading.leaks) > 1 else ""),
        )
    else:
        yield Finding("retention", Level.OK, f"all keys of runs that are over have a TTL ({read})")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _names(found: Sequence[str] | Mapping[str, float]) -> str:
    names = list(found)
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


CHECKS: Final[Sequence[Callable[[Reading], Iterator[Finding]]]] = (
    _workers,
    _leases,
    _orphans,
    _leaks,
)
