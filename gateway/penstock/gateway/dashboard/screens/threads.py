"""A thread: what it is at, how it came there, its runs."""

from __future__ import annotations

__all__ = ["SCREENS"]

from collections.abc import Sequence
from typing import Final

from starlette.responses import Response

from penstock.gateway.auth.role import Role
from penstock.gateway.dashboard.run_rows import read_rows
from penstock.gateway.dashboard.screen import Screen
from penstock.gateway.dashboard.visit import Visit
from penstock.gateway.errors import RequestError
from penstock.runtime.types.state import checkpoint_id_of

PAGE: Final = 20
"""Checkpoints, and runs, of a page."""


async def thread(visit: Visit) -> Response:
    """Show a thread: its state, its history, its runs."""
    name, client = visit.path["thread_id"], visit.client
    found = client.thread(name)
    before = visit.query.get("before")
    states = [each async for each in found.history(before=before, limit=PAGE)]
    runs = await client.runs(thread=name, limit=PAGE)
    if not states and not runs:
        raise RequestError(404, f"there is no thread {name!r}, or it is no longer kept.")
    return visit.page(
        "thread",
        thread_id=name,
        state=await found.state(),
        states=[(checkpoint_id_of(each), each) for each in states],
        before=checkpoint_id_of(states[-1]) if len(states) == PAGE else "",
        rows=await read_rows(visit, runs),
        is_first=before is None,
    )


SCREENS: Final[Sequence[Screen]] = (
    Screen("GET", "/threads/{thread_id:path}", Role.VIEWER, thread),
)
