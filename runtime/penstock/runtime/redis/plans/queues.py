"""What waits on queues, as plans without IO."""

from __future__ import annotations

__all__ = ["Overview", "QueueState", "overview", "queue_states"]

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from penstock.runtime.redis.calls import Calls
from penstock.runtime.redis.facets import ALL
from penstock.runtime.redis.keys import Keys
from penstock.runtime.redis.plans.open_counts import open_counts
from penstock.runtime.redis.plans.requests import Plan, Reads
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
    keys = calls.keys
    listed, live = yield Reads([("SMEMBERS", keys.queues), ("SMEMBERS", keys.workers)])
    names = yield from _queue_names(keys, listed, live)
    of_queues = yield Reads([("SMEMBERS", keys.workers_of(name)) for name in names])
    workers = {name: len({*found} & {*live}) for name, found in zip(names, of_queues, strict=True)}
    opened = yield from open_counts(keys, (ALL,))
    states = yield from queue_states(calls, names)
    held = yield from _held(keys, names)
    return Overview(states, workers, {str(name): opened[name] for name in opened}, held)


def _queue_names(keys: Keys, listed: Iterable[bytes], workers: Iterable[bytes]) -> Plan[list[str]]:
    """Read the names of the queues of this prefix that have work, had some, or have a worker."""
    world = World(keys.prefix)
    start = len(f"{keys.rq}:queue:")
    found = {name.decode("utf-8", "replace")[start:] for name in listed}
    for queues in (yield Reads([("HGET", worker, "queues") for worker in workers])):
        found |= {*(queues or b"").decode("utf-8", "replace").split(",")} - {""}
    ours = {world.queue_of(name) for name in found}
    return sorted(name for name in ours if name is not None)


def _held(keys: Keys, queues: Sequence[str]) -> Plan[dict[str, int]]:
    """Count the queued runs that have no ticket, by what they wait for."""
    world = World(keys.prefix)
    of_queues = yield Reads([("SMEMBERS", keys.parked(queue)) for queue in queues])
    lists = [
        f"{keys.parked(queue)}:{name.decode()}"
        for queue, names in zip(queues, of_queues, strict=True)
        for name in names
    ]
    queued, *parked_lists = yield Reads(
        [("ZCARD", keys.ready), *(("ZRANGE", name, 0, -1) for name in lists)]
    )
    parked = {run_id.decode() for found in parked_lists for run_id in found}
    if queued > COMPARED:
        return {"code": len(parked)}
    ready, *tickets = yield Reads(
        [("ZRANGE", keys.ready, 0, -1), *(("LRANGE", keys.queue(queue), 0, -1) for queue in queues)]
    )
    left: set[str] = {each.decode() for each in ready}
    left -= {world.run(ticket.decode("utf-8", "replace")) for some in tickets for ticket in some}
    return {"code": len(parked), "thread": len(left - parked)}
