"""The list of runs: which ones, a line for each."""

from __future__ import annotations

__all__ = ["SCREENS"]

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

from starlette.responses import Response

from penstock.gateway.auth.role import Role
from penstock.gateway.dashboard.run_rows import read_rows
from penstock.gateway.dashboard.screen import Screen
from penstock.gateway.dashboard.visit import Visit
from penstock.runtime.diagnostics.entrypoints import read_entrypoints
from penstock.runtime.errors import RunNotFoundError
from penstock.runtime.types.run import OPEN, Run, RunStatus

PAGE: Final = 50

BEGINNING: Final = 1000
"""The newest runs, among which ids are looked for by their beginning."""

_CHIPS: Final[Mapping[str, Sequence[RunStatus]]] = {
    "all": (),
    "open": tuple(each for each in RunStatus if each in OPEN),
    **{str(each): (each,) for each in RunStatus},
}

_FILTERS: Final = ("entrypoint", "queue", "thread", "error", "version")


async def runs(visit: Visit) -> Response:
    """List runs: the open ones first, then by their end, newest first."""
    words = visit.query.get("q", "").strip()
    if words:
        return await _search(visit, words)
    statuses = [each for each in visit.request.query_params.getlist("status") if each]
    filters = {name: visit.query[name] for name in _FILTERS if name in visit.query}
    wanted: Any = filters | _tags(visit)
    page = await visit.client.runs(statuses, PAGE, after=visit.query.get("after"), **wanted)
    kept = [*filters.items(), *(("tag", f"{k}={v}") for k, v in wanted["tag"].items())]
    return await _listed(
        visit,
        page,
        filters=filters,
        tag=visit.query.get("tag", ""),
        chips=[_chip(name, chosen, statuses, kept) for name, chosen in _CHIPS.items()],
        statuses=statuses,
        newest=_address([*_pairs(statuses), *kept]),
        more=page.after and _address([*_pairs(statuses), *kept, ("after", page.after)]),
        words="",
    )


def _tags(visit: Visit) -> dict[str, dict[str, str]]:
    """Read the tags `KEY=VALUE` that runs are to have."""
    given = visit.request.query_params.getlist("tag")
    return {"tag": dict(each.split("=", 1) for each in given if "=" in each)}


async def _search(visit: Visit, words: str) -> Response:
    """Look for a run by its id, its thread, or the beginning of its id."""
    try:
        run = await visit.client.get(words)
    except RunNotFoundError:
        found: list[Run] = await visit.client.runs(limit=PAGE, thread=words)
    else:
        return visit.go(f"/runs/{quote(run.run_id, safe='')}")
    if not found:
        newest = await visit.client.runs(limit=BEGINNING)
        found = [each for each in newest if each.run_id.startswith(words)][:PAGE]
    chips = [_chip(name, chosen, ["none"], []) for name, chosen in _CHIPS.items()]
    return await _listed(
        visit,
        found,
        filters={},
        tag="",
        chips=chips,
        statuses=[],
        newest="/runs",
        more=None,
        words=words,
    )


async def _listed(visit: Visit, found: Iterable[Run], **values: Any) -> Response:
    return visit.page(
        "runs",
        rows=await read_rows(visit.client, found),
        entrypoints=await visit.client.do(read_entrypoints(visit.client.plans)),
        is_first="after" not in visit.query,
        **values,
    )


def _chip(
    name: str, chosen: Sequence[str], statuses: Sequence[str], kept: Iterable[tuple[str, str]]
) -> dict[str, Any]:
    """Describe a link to the runs of some statuses, with the other filters as they are."""
    return {
        "name": name,
        "address": _address([*_pairs(chosen), *kept]),
        "is_chosen": sorted(chosen) == sorted(statuses),
    }


def _pairs(statuses: Iterable[str]) -> list[tuple[str, str]]:
    return [("status", str(each)) for each in statuses]


def _address(pairs: Sequence[tuple[str, str]]) -> str:
    return f"/runs?{urlencode(pairs)}" if pairs else "/runs"


SCREENS: Final[Sequence[Screen]] = (Screen("GET", "/runs", Role.VIEWER, runs),)
