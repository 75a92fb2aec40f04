"""What waits on queues, as plans without IO."""

from __future__ import annotations

__all__ = ["Overview", "QueueState", "overview", "queue_states"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from penstock.runtime.redis.calls import Calls
from penstock.runtime.redis.facets import ALL
from penstock.runtime.redis.plans.requests import Plan
from penstock.runtime.redis.world import World

COMPARED: Final = 10_000
"""Queued runs up to which those without a ticket are counted."""


@dataclass(frozen=True, slots=True)
class QueueState:
    """The work on one queue."""

    queue: str
    tickets: int
    """Runs, steps and RQ jobs that a worker may take now."""
    running: int
    """Runs and steps of this queue that workers execute."""
    oldest: float | None
    """Seconds that the first in line is queued; None if there is none, or it is an RQ job."""

    @property
    def backlog(self) -> int:
        """How much work there is for workers: the number to scale by.

        Runs that wait for something else, as for their turn on a thread, do not count: more workers
        would not help them.
        """
        return self.tickets + self.running


@dataclass(frozen=True, slots=True)
class Overview:
    """The work in one Redis."""

    queues: Sequence[QueueState]
    workers: Mapping[str, int]
    """Live workers, by queue."""
    open_runs: Mapping[str, int]
    """By status."""
    held: Mapping[str, int]
    """Queued runs that no worker may take, by reason: `thread` (another run is at work on theirs)
    and `code` (no worker that met them has it). Without `thread` if many runs are queued."""


def queue_states(calls: Calls, names: Sequence[str]) -> Plan[list[QueueState]]:
    """Read the work on queues."""
    if not names:
        return []
    reply: Any = yield calls.backlog(names)
    return [
        QueueState(name, tickets, running, waits / 1000 if waits >= 0 else None)
        for name, (tickets, running, waits) in zip(names, reply, strict=True)
    ]


def overview(calls: Calls) -> Plan[Overview]:
    """Read the work in a Redis; needs the rights of a worker."""
    names = yield from _queue_names(calls)
    workers: dict[str, int] = {}
    for name in names:
        workers[name] = yield from _live_workers(calls, name)
    open_runs = yield from _open_runs(calls)
    states = yield from queue_states(calls, names)
    held = yield from _held(calls, names)
    return Overview(states, workers, open_runs, held)


def _open_runs(calls: Calls) -> Plan[dict[str, int]]:
    """Count open runs by status: each is queued, unless it is in the set of another."""
    listed = calls.keys.open(ALL)
    total: int = yield ("ZCARD", listed)
    running: Any = yield ("ZINTER", 2, listed, calls.keys.leases)  # which has remote steps, too
    suspended: int = yield ("ZCARD", calls.keys.open("suspended"))
    queued = max(total - len(running) - suspended, 0)
    return {"queued": queued, "running": len(running), "suspended": suspended}


def _queue_names(calls: Calls) -> Plan[list[str]]:
    """Read the names of the queues of this prefix that have work, had some, or have a worker."""
    keys, world = calls.keys, World(calls.keys.prefix)
    listed: Any = yield ("SMEMBERS", keys.queues)
    start = len(f"{keys.rq}:queue:")
    found = {name.decode("utf-8", "replace")[start:] for name in listed}
    for worker in (yield ("SMEMBERS", keys.workers)):
        queues: Any = yield ("HGET", worker, "queues")
        found |= {*(queues or b"").decode("utf-8", "replace").split(",")} - {""}
    ours = {world.queue_of(name) for name in found}
    return sorted(name for name in ours if name is not None)


def _live_workers(calls: Calls, queue: str) -> Plan[int]:
    count = 0
    for worker in (yield ("SMEMBERS", calls.keys.workers_of(queue))):
        is_live: Any = yield ("SISMEMBER", calls.keys.workers, worker)
        count += bool(is_live)
    return count


def _held(calls: Calls, queues: Sequence[str]) -> Plan[dict[str, int]]:
    """Count the queued runs that have no ticket, by what they wait for."""
    keys, world = calls.keys, World(calls.keys.prefix)
    parked: set[str] = set()
    for queue in queues:
        for name in (yield ("SMEMBERS", keys.parked(queue))):
            listed: Any = yield ("ZRANGE", f"{keys.parked(queue)}:{name.decode()}", 0, -1)
            parked |= {run_id.decode() for run_id in listed}
    queued: int = yield ("ZCARD", keys.ready)
    if queued > COMPARED:
        return {"code": len(parked)}
    left: set[str] = {each.decode() for each in (yield ("ZRANGE", keys.ready, 0, -1))}
    for queue in queues:
        tickets: Any = yield ("LRANGE", keys.queue(queue), 0, -1)
        left -= {world.run(ticket.decode("utf-8", "replace")) for ticket in tickets}
    return {"code": len(parked), "thread": len(left - parked)}
