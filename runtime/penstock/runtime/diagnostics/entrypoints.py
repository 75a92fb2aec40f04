"""The entrypoints that live workers have."""

from __future__ import annotations

__all__ = ["EntrypointState", "read_entrypoint", "read_entrypoint_states", "read_entrypoints"]

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from penstock.runtime.diagnostics.descriptions import read_descriptions
from penstock.runtime.diagnostics.workers import Worker, read_workers
from penstock.runtime.redis.facets import entrypoint_facet
from penstock.runtime.redis.plans.requests import Plan, Reads, RequestPlans
from penstock.runtime.types.bulk import BULK
from penstock.runtime.types.code_name import of_entrypoint
from penstock.runtime.types.description import Description


@dataclass(frozen=True, slots=True)
class EntrypointState:
    """An entrypoint or a graph, who executes it, and how much there is to do."""

    description: Description
    workers: Sequence[Worker]
    """The live workers that have it."""
    open_runs: int

    @property
    def name(self) -> str:
        """Its name."""
        return self.description.name

    @property
    def versions(self) -> list[str]:
        """The versions of it that workers have, sorted."""
        return sorted({each.version_of(self.name) for each in self.workers} - {""})


def read_entrypoints(plans: RequestPlans) -> Plan[list[str]]:
    """Read the names of the entrypoints and graphs that live workers announce, sorted.

    Penstock's own is not among them.
    """
    now = round(time.time() * 1000)
    names: Any = yield ("ZRANGEBYSCORE", plans.keys.entrypoints, f"({now}", "+inf")
    texts = [name.decode("utf-8", "replace") for name in names]
    return sorted(text for text in texts if text != BULK and not text.startswith(("t:", "p:")))


def read_entrypoint_states(plans: RequestPlans) -> Plan[list[EntrypointState]]:
    """Read the entrypoints and graphs that live workers announce, by name."""
    names = yield from read_entrypoints(plans)
    return (yield from _read_states(plans, names))


def read_entrypoint(plans: RequestPlans, name: str) -> Plan[EntrypointState]:
    """Read one entrypoint, whether there are workers that have it or not."""
    return (yield from _read_states(plans, [name]))[0]


def _read_states(plans: RequestPlans, names: Sequence[str]) -> Plan[list[EntrypointState]]:
    if not names:
        return []
    descriptions = yield from read_descriptions(plans, names)
    workers = yield from read_workers(plans)
    apps = sorted({each.app for each in workers} - {""})
    keys = plans.keys
    replies = yield Reads(
        [
            *(("ZCARD", keys.open(entrypoint_facet(name))) for name in names),
            *(("SMEMBERS", keys.app(each)) for each in apps),
        ]
    )
    codes = dict(zip(apps, replies[len(names) :], strict=True))
    return [
        EntrypointState(
            description,
            [each for each in workers if of_entrypoint(name).encode() in codes.get(each.app, ())],
            count,
        )
        for name, description, count in zip(names, descriptions, replies, strict=False)
    ]
