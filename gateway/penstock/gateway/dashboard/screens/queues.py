"""Queues, and the workers that serve them."""

from __future__ import annotations

__all__ = ["SCREENS"]

import asyncio
from collections.abc import Sequence
from typing import Final

from starlette.responses import Response

from penstock.gateway.auth.role import Role
from penstock.gateway.dashboard.screen import Screen
from penstock.gateway.dashboard.visit import Visit
from penstock.gateway.native.asks import ALL_RUNS
from penstock.runtime.diagnostics.entrypoints import read_entrypoints
from penstock.runtime.diagnostics.workers import read_workers
from penstock.runtime.redis.plans.queues import overview


async def queues(visit: Visit) -> Response:
    """Show what waits on queues, and what workers execute."""
    client = visit.client
    world, workers, entrypoints = await asyncio.gather(
        client.do(overview(client.plans.calls)),
        client.do(read_workers(client.plans)),
        client.do(read_entrypoints(client.plans)),
    )
    return visit.page("queues", world=world, workers=workers, entrypoints=entrypoints)


SCREENS: Final[Sequence[Screen]] = (Screen("GET", "/queues", Role.VIEWER, queues, ALL_RUNS),)
