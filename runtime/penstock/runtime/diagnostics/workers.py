"""The live workers: what they serve, and which runs they execute."""

from __future__ import annotations

__all__ = ["Worker", "read_workers"]

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
    rows = [("HMGET", keys.worker(name), *fields) for name in names]
    held = [("SMEMBERS", keys.executions(name)) for name in names]
    replies = yield Reads([*rows, *held])
    found: list[Worker] = []
    for name, row, executions in zip(names, replies, replies[len(names) :], strict=False):
        queues, host, pid, birth, seen = ((text or b"").decode() for text in row)
        served = tuple(queue for each in queues.split(",") if (queue := world.queue_of(each)))
        if birth and served:
            jobs = sorted(each.decode().partition(":")[0] for each in executions)
            runs = tuple(world.run(job) for job in jobs)
            found.append(
                Worker(name, served, host, int(pid or 0), _moment(birth), _moment(seen), runs)
            )
    return found


def _moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
