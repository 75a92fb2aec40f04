"""Failed runs by their cause, and what is done with all of one cause."""

from __future__ import annotations

__all__ = ["SCREENS"]

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final

from starlette.responses import Response

from penstock.gateway.auth.role import Role
from penstock.gateway.dashboard.actions import refusal_of
from penstock.gateway.dashboard.failure_groups import read_groups
from penstock.gateway.dashboard.run_rows import read_rows
from penstock.gateway.dashboard.screen import Screen
from penstock.gateway.dashboard.visit import Visit
from penstock.gateway.errors import RequestError
from penstock.gateway.native.asks import AGAIN_ALL, ALL_CHANGES, ALL_RUNS
from penstock.runtime.diagnostics.run_report import read_report
from penstock.runtime.diagnostics.traceback import own_traceback
from penstock.runtime.errors import RunNotFoundError
from penstock.runtime.types.bulk import ACTIONS, BulkProgress
from penstock.runtime.types.failure_group import FailureGroup

SHOWN: Final = 50
"""Causes of the list, and runs of one cause."""

LONG: Final = 10.0
"""Seconds after which a form that changes many runs answers, and is to be sent again."""

RATE: Final = 1000.0
"""Runs that are changed in a second."""


async def failures(visit: Visit) -> Response:
    """List the causes of failures, the one that grew last first."""
    groups = await read_groups(visit, SHOWN)
    return visit.page(
        "failures", groups=groups, done=visit.number("done"), left=visit.number("left")
    )


async def cause(visit: Visit) -> Response:
    """Show one cause: where it comes from, and its runs."""
    group = await _group(visit)
    client = visit.client
    runs, open_runs, traceback = await asyncio.gather(
        client.runs("failed", SHOWN, error=group.cause),
        client.count(status=ACTIONS["cancel"], entrypoint=group.entrypoint),
        _traceback(visit, group),
    )
    return visit.page(
        "failure",
        group=group,
        rows=await read_rows(visit, runs),
        traceback=traceback,
        open_runs=open_runs,
        refusal=refusal_of(visit.identity, Role.OPERATOR),
    )


async def resume(visit: Visit) -> Response:
    """Resume all failed runs of a cause."""
    group = await _group(visit)
    return await _done(visit, visit.client.bulk("resume", rate=RATE, error=group.cause))


async def cancel(visit: Visit) -> Response:
    """Cancel all open runs of the entrypoint that fails."""
    group = await _group(visit)
    return await _done(visit, visit.client.bulk("cancel", rate=RATE, entrypoint=group.entrypoint))


async def _done(visit: Visit, steps: AsyncGenerator[BulkProgress]) -> Response:
    """Change runs until all are, or for as long as a browser may wait."""
    began, done, is_left = time.monotonic(), 0, False
    async with aclosing(steps):
        async for progress in steps:
            done = progress.done
            if is_left := time.monotonic() - began > LONG:
                break
    return visit.go(f"/failures?done={done}&left={int(is_left)}")


async def _group(visit: Visit) -> FailureGroup:
    name = visit.path["cause"]
    found = await read_groups(visit, 1, cause=name)
    if not found:
        raise RequestError(404, f"no run has failed of the cause {name!r}, or none is kept.")
    return found[0]


async def _traceback(visit: Visit, group: FailureGroup) -> list[tuple[str, str]]:
    """Return the traceback of the run that failed last, to those who may see its messages."""
    if not visit.sees_values:
        return []
    try:
        report = await visit.client.do(read_report(visit.client.plans, group.sample))
    except RunNotFoundError:
        return []
    return list(own_traceback(report.outcome))


SCREENS: Final[Sequence[Screen]] = (
    Screen("GET", "/failures", Role.VIEWER, failures, ALL_RUNS),
    Screen("GET", "/failures/{cause}", Role.VIEWER, cause, ALL_RUNS),
    Screen("POST", "/failures/{cause}/resume", Role.OPERATOR, resume, AGAIN_ALL),
    Screen("POST", "/failures/{cause}/cancel", Role.OPERATOR, cancel, ALL_CHANGES),
)
