"""The live workers: what they serve, and which runs they execute."""

from __future__ import annotations

__all__ = ["APP", "RELEASE", "Worker", "read_workers"]

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from penstock.runtime.redis.plans.requests import Plan, Reads, RequestPlans
from penstock.runtime.redis.world import World

APP: Final = "penstock_app"
"""The field of a worker's hash that says what code it has: a digest, and versions as JSON."""

RELEASE: Final = "penstock_release"
"""The field of a worker's hash that says which Penstock it is of."""


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
    release: str = ""
    """The version of Penstock that it is of."""
    app: str = ""
    """The digest of the code that it has."""
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    """The versions of that code: of entrypoints by their names, and of all others at ""."""

    def version_of(self, entrypoint: str) -> str:
        """Return the version of an entrypoint that this worker has; "" if it has none."""
        return self.versions.get(entrypoint, self.versions.get("", ""))


def read_workers(plans: RequestPlans) -> Plan[list[Worker]]:
    """Read the workers that serve queues of this prefix, in the order of their names."""
    keys, world = plans.keys, World(plans.keys.prefix)
    start = len(keys.worker(""))
    names = sorted(name.decode()[start:] for name in (yield ("SMEMBERS", keys.workers)))
    fields = ("queues", "hostname", "pid", "birth", "last_heartbeat", RELEASE, APP)
    rows = [("HMGET", keys.worker(name), *fields) for name in names]
    held = [("SMEMBERS", keys.executions(name)) for name in names]
    replies = yield Reads([*rows, *held])
    found: list[Worker] = []
    for name, row, executions in zip(names, replies, replies[len(names) :], strict=False):
        queues, host, pid, birth, seen, release, app = ((text or b"").decode() for text in row)
        served = tuple(queue for each in queues.split(",") if (queue := world.queue_of(each)))
        if birth and served:
            jobs = sorted(each.decode().partition(":")[0] for each in executions)
            runs = tuple(world.run(job) for job in jobs)
            times = _moment(birth), _moment(seen)
            code = _code(app)
            found.append(Worker(name, served, host, int(pid or 0), *times, runs, release, *code))
    return found


def _code(app: str) -> tuple[str, Mapping[str, str]]:
    digest, _, versions = app.partition(" ")
    told: dict[str, list[str]] = json.loads(versions or "{}")
    return digest, {name: version for name, (version, *_) in told.items()}


def _moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
