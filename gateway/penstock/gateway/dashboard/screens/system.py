"""Whether all is well: the doctor's findings, the server, the settings, workers and webhooks."""

from __future__ import annotations

__all__ = ["SCREENS"]

import asyncio
import importlib.metadata
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from starlette.responses import Response

from penstock.gateway.auth.role import Role
from penstock.gateway.dashboard.screen import Screen
from penstock.gateway.dashboard.shown_settings import shown_settings
from penstock.gateway.dashboard.visit import Visit
from penstock.gateway.native.asks import ALL_RUNS
from penstock.publisher.errors import PenstockError
from penstock.runtime.diagnostics.doctor import Finding, Level
from penstock.runtime.diagnostics.doctor.examination import examination
from penstock.runtime.diagnostics.memory import measure_all
from penstock.runtime.diagnostics.workers import read_workers
from penstock.runtime.types.webhook import Webhook

LARGEST: Final = 10
"""Runs and threads of which it is said what they take."""

_ORDER: Final = (Level.PROBLEM, Level.WARNING)
"""What is to be seen first."""


async def system(visit: Visit) -> Response:
    """Show what the doctor finds, and what is set."""
    client = visit.client
    found, workers, (webhooks, refused) = await asyncio.gather(
        asyncio.to_thread(examination, client.settings),
        client.do(read_workers(client.plans)),
        _webhooks(visit),
    )
    return visit.page(
        "system",
        findings=sorted(found.findings, key=_urgency),
        info=found.info,
        workers=workers,
        webhooks=[(each, urlsplit(each.url).hostname or "") for each in webhooks],
        refused=refused,
        release=importlib.metadata.version("penstock"),
        settings=list(shown_settings(client.settings)),
        own=list(shown_settings(visit.site.shared.settings)),
    )


def _urgency(finding: Finding) -> int:
    return _ORDER.index(finding.level) if finding.level in _ORDER else len(_ORDER)


async def memory(visit: Visit) -> Response:
    """Show what uses memory, as `penstock du` does: for those who ask, as it reads many keys."""
    usage = await asyncio.to_thread(measure_all, visit.client.settings, LARGEST)
    return visit.page("memory", usage=usage, total=sum(each.bytes for each in usage.kinds))


async def _webhooks(visit: Visit) -> tuple[Sequence[Webhook], str]:
    """Read the webhooks; why they cannot be read, as without the key of their encryption."""
    try:
        return await visit.client.webhooks.list(), ""
    except PenstockError as error:
        return (), str(error)


SCREENS: Final[Sequence[Screen]] = (
    Screen("GET", "/system", Role.OPERATOR, system, ALL_RUNS),
    Screen("GET", "/system/memory", Role.OPERATOR, memory, ALL_RUNS),
)
