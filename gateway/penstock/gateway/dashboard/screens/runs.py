"""The list of runs: which ones, a line for each."""

from __future__ import annotations

__all__ = ["SCREENS"]

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import quote

from starlette.responses import Response

from penstock.gateway.auth.role import Role
from penstock.gateway.dashboard.run_query import SLOW, SLOW_AFTER, RunQuery, read_query
from penstock.gateway.dashboard.run_rows import read_rows
from penstock.gateway.dashboard.screen import Screen
from penstock.gateway.dashboard.visit import Visit
from penstock.gateway.native.asks import FIND_RUNS
from penstock.gateway.native.own_runs import check_run, find_runs
from penstock.runtime.diagnostics.entrypoints import read_entrypoints
from penstock.runtime.errors import RunNotFoundError
from penstock.runtime.types.run import OPEN, Run, RunStatus

PAGE: Final = 50

BEGINNING: Final = 1000
"""The newest runs, among which ids are looked for by their beginning."""

_CHIPS: Final[Mapping[str, Sequence[str]]] = {
    "all": (),
    "open": tuple(each for each in RunStatus if each in OPEN),
    **{str(each): (each,) for each in RunStatus},
    SLOW: (SLOW,),
}
"""What statuses are looked for by one click."""


async def runs(visit: Visit) -> Response:
    """List runs: the open ones first, then by their end, newest first."""
    words = visit.query.get("q", "").strip()
    if words:
        return await _search(visit, words)
    wanted = read_query(visit.request.query_params)
    page = await find_runs(
        visit.client, visit.filter, PAGE, visit.query.get("after"), **wanted.filters()
    )
    return await _listed(visit, page, wanted, after=page.after)


async def _search(visit: Visit, words: str) -> Response:
    """Look for a run by its id, its thread, or the beginning of its id."""
    try:
        run = await visit.client.get(words)
        await check_run(visit.client, run.run_id, visit.filter)
    except RunNotFoundError:
        found: list[Run] = await find_runs(visit.client, visit.filter, PAGE, thread=words)
    else:
        return visit.go(f"/runs/{quote(run.run_id, safe='')}")
    if not found:
        newest = await find_runs(visit.client, visit.filter, BEGINNING)
        found = [each for each in newest if each.run_id.startswith(words)][:PAGE]
    return await _listed(visit, found, RunQuery(), words=words)


async def _listed(
    visit: Visit,
    found: Iterable[Run],
    wanted: RunQuery,
    after: str | None = None,
    words: str = "",
) -> Response:
    chips = [
        (name, wanted.address(statuses), not words and set(statuses) == set(wanted.statuses))
        for name, statuses in _CHIPS.items()
    ]
    client = visit.client
    rows, entrypoints = await asyncio.gather(
        read_rows(visit, found), client.do(read_entrypoints(client.plans))
    )
    return visit.page(
        "runs",
        rows=rows,
        entrypoints=entrypoints,
        wanted=wanted,
        chips=chips,
        slow_after=SLOW_AFTER,
        words=words,
        is_first="after" not in visit.query,
        newest=wanted.address(),
        older=after and wanted.address(after=after),
    )


SCREENS: Final[Sequence[Screen]] = (Screen("GET", "/runs", Role.VIEWER, runs, FIND_RUNS),)
