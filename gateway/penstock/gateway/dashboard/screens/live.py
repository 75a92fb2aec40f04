"""What open pages listen to: that runs have changed, and the events of one run."""

from __future__ import annotations

__all__ = ["SCREENS"]

from collections.abc import Sequence
from typing import Final

from starlette.responses import Response

from penstock.gateway.auth.identity import LOCAL
from penstock.gateway.auth.role import Role
from penstock.gateway.dashboard.hidden import without_values
from penstock.gateway.dashboard.screen import Screen
from penstock.gateway.dashboard.visit import Visit
from penstock.gateway.event_stream import EventStream, FrameStream
from penstock.gateway.native.facts import facts
from penstock.runtime.client.run_stream import resumption

_OVER: Final = 204
"""The status that keeps an EventSource from coming back."""


async def changes(visit: Visit) -> Response:
    """Tell of changes of runs, at most once a second."""
    return FrameStream(visit.site.changes.frames(), visit.site.shared, visit.identity or LOCAL)


async def events(visit: Visit) -> Response:
    """Follow a run: its stored events, from the first or after a cursor on."""
    client, run_id = visit.client, visit.path["run_id"]
    given = visit.request.headers.get("last-event-id") or visit.query.get("after", "0")
    cursor = await client.do(resumption(client.plans, run_id, given))
    if cursor is None:
        return Response(status_code=_OVER)
    found = facts(client, run_id, cursor)
    shown = found if visit.sees_values else without_values(found)
    return EventStream(shown, visit.site.shared, visit.identity or LOCAL)


SCREENS: Final[Sequence[Screen]] = (
    Screen("GET", "/changes", Role.VIEWER, changes),
    Screen("GET", "/runs/{run_id}/events", Role.VIEWER, events),
)
