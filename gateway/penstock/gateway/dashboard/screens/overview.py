"""The first page: what goes on, and what needs somebody."""

from __future__ import annotations

__all__ = ["SCREENS"]

import asyncio
from collections.abc import Sequence
from typing import Final

from starlette.responses import Response

from penstock.gateway.auth.role import Role
from penstock.gateway.dashboard.failure_groups import read_groups
from penstock.gateway.dashboard.run_rows import read_rows
from penstock.gateway.dashboard.screen import Screen
from penstock.gateway.dashboard.visit import Visit
from penstock.gateway.native.asks import FIND_RUNS
from penstock.runtime.redis.plans.queues import overview as read_overview
from penstock.runtime.types.run import RunStatus

SHOWN: Final = 5
"""Causes, questions and runs that the page names; it leads to the others."""

LOOKED_AT: Final = 50
"""Open runs that are checked for stuck ones."""

_MOVING: Final = (RunStatus.QUEUED, RunStatus.RUNNING)


async def overview(visit: Visit) -> Response:
    """Show what goes on: counts, queues, and what waits for a person."""
    if not await visit.sees_all():
        return visit.go("/runs")
    client = visit.client
    counts, suspended, moving, world, failures = await asyncio.gather(
        client.counts(),
        client.runs(RunStatus.SUSPENDED, LOOKED_AT),
        client.runs(_MOVING, LOOKED_AT),
        client.do(read_overview(client.plans.calls)),
        read_groups(visit, SHOWN),
    )
    asks = [each for each in suspended if each.asks]
    asking, rows = await asyncio.gather(read_rows(visit, asks[:SHOWN]), read_rows(visit, moving))
    return visit.page(
        "overview",
        counts={each: counts.get(each, 0) for each in RunStatus},
        world=world,
        asking=asking,
        failures=failures,
        stuck=[row for row in rows if row.waiting.fix][:SHOWN],
    )


SCREENS: Final[Sequence[Screen]] = (Screen("GET", "/", Role.VIEWER, overview, FIND_RUNS),)
