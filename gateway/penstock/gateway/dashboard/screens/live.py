"""What open pages listen to: that runs have changed, and the events of one run."""

from __future__ import annotations

__all__ = ["SCREENS"]

from collections.abc import Sequence
from typing import Final

from starlette.responses import Response

from penstock.gateway.auth.identity import LOCAL
from penstock.gateway.auth.role import Role
from penstock.gateway.dashboard.changes import ticks
from penstock.gateway.dashboard.hidden import without_values
from penstock.gateway.dashboard.screen import Screen
from penstock.gateway.dashboard.visit import Visit
from penstock.gateway.event_stream import Events, FrameStream, event_response
from penstock.gateway.native.asks import FIND_RUNS, RUN_READ
from penstock.gateway.native.facts import facts


async def changes(visit: Visit) -> Response:
    """Tell of changes of runs, at most once a second."""
    is_all = await visit.sees_all()
    frames = visit.site.changes.frames() if is_all else ticks()
    return FrameStream(frames, visit.site.shared, visit.identity or LOCAL)


async def events(visit: Visit) -> Response:
    """Follow a run: its stored events, from the first or after a cursor on."""
    run_id = visit.path["run_id"]
    given = visit.request.headers.get("last-event-id") or visit.query.get("after", "0")

    def streamed(after: int) -> Events:
        found = facts(visit.client, run_id, after)
        return found if visit.sees_values else without_values(found)

    return await event_response(visit.site.shared, visit.identity or LOCAL, run_id, given, streamed)


SCREENS: Final[Sequence[Screen]] = (
    Screen("GET", "/changes", Role.VIEWER, changes, FIND_RUNS),
    Screen("GET", "/runs/{run_id}/events", Role.VIEWER, events, RUN_READ),
)
