"""The live workers: what they serve, and which runs they execute."""

from __future__ import annotations

__all__ = ["Worker", "read_workers"]

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from penstock.runtime.redis.plans.requests import Plan, Reads, RequestPlans
from penstock.runtime.redis.world import World


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that executes runs, as RQ lists it."""

    name: str
    queues: tuple[str, ...]
    host: str
    pid: int
    started_at: datetime | None
    seen_at: datetime | None
    """When it last said that it lives: about every 30 seconds."""
    runs: tuple[str, ...]
    """The runs that it executes now, and the runs of remote steps."""


def read_workers(plans: RequestPlans) -> Plan[list[Worker]]:
    """Read the workers that serve queues of this prefix, in the order of their names."""
    keys, world = plans.keys, World(plans.keys.prefix)
    start = len(keys.worker(""))
    names = sorted(name.decode()[start:] for name in (yield ("SMEMBERS", keys.workers)))
    fields = ("queues", "hostname", "pid", "birth", "last_heartbeat")
    rows = yield Reads([("HMGET", keys.worker(name), *fields) for name in names])
    held = yield Reads([("SMEMBERS", keys.executions(name)) for name in names])
    found: list[Worker] = []
    for name, row, executions in zip(names, rows, held, strict=True):
        queues, host, pid, birth, seen = ((text or b"").decode() for text in row)
        served = tuple(_served(queues.split(","), world))
        if birth and served:
            jobs = sorted(each.decode().partition(":")[0] for each in executions)
            runs = tuple(world.run(job) for job in jobs)
            found.append(
                Worker(name, served, host, int(pid or 0), _moment(birth), _moment(seen), runs)
            )
    return found


def _served(queues: Sequence[str], world: World) -> list[str]:
    """Return the names of this prefix's queues among those of RQ."""
    names = [name.partition("@")[0] for name in queues]
    pairs = zip(names, queues, strict=True)
    return [name for name, queue in pairs if queue and world.queue(name) == queue]


def _moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
