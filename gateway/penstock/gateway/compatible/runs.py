"""Runs of LangGraph's clients: created, followed, waited for, listed, cancelled and deleted."""

from __future__ import annotations

__all__ = ["ENDPOINTS"]

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Final

from starlette.responses import Response

from penstock.gateway.auth.role import Role
from penstock.gateway.call import Call
from penstock.gateway.compatible.access import check_leg
from penstock.gateway.compatible.asks import (
    THREADS_CREATE_RUN,
    THREADS_DELETE,
    THREADS_READ,
    THREADS_UPDATE,
)
from penstock.gateway.compatible.frames import read_cursor
from penstock.gateway.compatible.legs import FoundLeg, find_leg
from penstock.gateway.compatible.request_model import NoFields
from penstock.gateway.compatible.responses import LegStream, LegWait, locations, with_query
from penstock.gateway.compatible.run_body import (
    DEFAULT_MODES,
    CancelQuery,
    JoinQuery,
    JoinStreamQuery,
    RunBody,
    RunsQuery,
)
from penstock.gateway.compatible.run_ending import delete_run, has_ended
from penstock.gateway.compatible.run_list import list_legs
from penstock.gateway.compatible.run_start import begin_run
from penstock.gateway.compatible.run_view import read_run_views
from penstock.gateway.compatible.selection import selected
from penstock.gateway.compatible.streams import StreamOptions, event_frames, outcome_text
from penstock.gateway.endpoint import Endpoint, answer_json
from penstock.gateway.streams import Slot
from penstock.runtime.errors import RunNotFoundError


async def create(call: Call[NoFields, RunBody]) -> Response:
    """Begin a run, or answer what one asks; answers at once."""
    found = await begin_run(call)
    (view,) = await read_run_views(call.client, [found])
    answer = answer_json(view)
    answer.headers["Content-Location"] = _locations(call, found, "")["Content-Location"]
    return answer


async def stream(call: Call[NoFields, RunBody]) -> Response:
    """Begin a run, or answer what one asks, and follow it as server-sent events."""
    found, slot = await _start_streamed(call)
    options = StreamOptions(call.body.stream_mode, call.body.stream_subgraphs)
    return LegStream(
        event_frames(call.client, found, options),
        call,
        found,
        headers=_locations(call, found, "stream"),
        cancels=call.body.on_disconnect == "cancel",
        slot=slot,
    )


async def wait(call: Call[NoFields, RunBody]) -> Response:
    """Begin a run, or answer what one asks, and wait for what comes of it."""
    found, slot = await _start_streamed(call)
    return LegWait(
        outcome_text(call.client, found),
        call,
        found,
        headers=_locations(call, found, "join"),
        cancels=call.body.on_disconnect == "cancel",
        slot=slot,
    )


async def listed(call: Call[RunsQuery, NoFields]) -> Response:
    """List the runs of a thread, the newest first."""
    query = call.query
    found = await list_legs(
        call.client, call.path["thread_id"], query.offset + query.limit, query.status
    )
    views = await read_run_views(call.client, found[query.offset :])
    return answer_json([selected(view, query.select) for view in views])


async def show(call: Call[NoFields, NoFields]) -> Response:
    """Show a run."""
    (view,) = await read_run_views(call.client, [await _find(call)])
    return answer_json(view)


async def join(call: Call[JoinQuery, NoFields]) -> Response:
    """Wait for what comes of a run."""
    found = await _find(call)
    await _check_leaving(call, found)
    text = outcome_text(call.client, found)
    place = _locations(call, found, "join")["Location"]
    headers = {"Location": with_query(place, call.query)}
    return LegWait(text, call, found, headers=headers, cancels=call.query.cancel_on_disconnect)


async def join_stream(call: Call[JoinStreamQuery, NoFields]) -> Response:
    """Follow a run as server-sent events, from the beginning or behind Last-Event-ID."""
    found, query = await _find(call), call.query
    await _check_leaving(call, found)
    kwargs = found.leg.request.get("kwargs", {})
    options = StreamOptions(
        query.stream_mode or kwargs.get("stream_mode", DEFAULT_MODES),
        query.stream_subgraphs or kwargs.get("stream_subgraphs", False),
        read_cursor(call.headers.get("last-event-id")),
    )
    headers = _locations(call, found, "stream")
    return LegStream(
        event_frames(call.client, found, options),
        call,
        found,
        headers={**headers, "Location": with_query(headers["Location"], query)},
        cancels=query.cancel_on_disconnect,
    )


async def cancel(call: Call[CancelQuery, NoFields]) -> Response:
    """Cancel a run that is not over; with `wait`, answers when it is."""
    found = await _find(call)
    if found.is_over:
        raise RunNotFoundError(
            found.leg.leg_id, f"run {found.leg.leg_id!r} is over: there is nothing to cancel."
        )
    is_rollback = call.query.action == "rollback"
    reason = "rollback" if is_rollback else "cancelled"
    await call.client.do(call.client.plans.cancel(found.run.run_id, reason))
    if not call.query.wait or not await has_ended(call.client, found):
        return Response(status_code=202)
    return answer_json({})


async def delete(call: Call[NoFields, NoFields]) -> Response:
    """Delete a run with all its legs; one that is not over is cancelled first."""
    found = await _find(call)
    await delete_run(call.client, found.run.run_id)
    return Response(status_code=204)


async def _check_leaving(
    call: Call[JoinQuery, NoFields] | Call[JoinStreamQuery, NoFields], found: FoundLeg
) -> None:
    """Refuse to cancel a run for a reader who may only look at it.

    Raises:
        RequestError: 403.
        RunNotFoundError: an Auth object says that it is not for the user.
    """
    if call.query.cancel_on_disconnect:
        call.identity.check(Role.CLIENT)
        run = {"thread_id": found.run.thread_id, "run_id": found.leg.leg_id}
        own = await call.ask("threads", "update", {**run, "action": "interrupt"})
        await check_leg(call, found, own)


async def _start_streamed(call: Call[NoFields, RunBody]) -> tuple[FoundLeg, Slot]:
    """Begin a run for which a stream is let in: else its client would ask once more, and have two.

    Raises:
        RequestError: too many streams are open.
    """
    slot = call.shared.streams.slot(call.identity)
    with ExitStack() as held:
        held.callback(slot.close)
        found = await begin_run(call)
        held.pop_all()
    return found, slot


async def _find(call: Call[Any, NoFields]) -> FoundLeg:
    found = await find_leg(call.client, call.path["run_id"], call.path.get("thread_id"))
    await check_leg(call, found, call.filter)
    return found


def _locations(call: Call[Any, Any], found: FoundLeg, last: str) -> dict[str, str]:
    return locations(found, has_thread="thread_id" in call.path, last=last)


_RUNS: Final = "/threads/{thread_id}/runs"
_RUN: Final = f"{_RUNS}/{{run_id}}"

ENDPOINTS: Final[Sequence[Endpoint[Any, Any]]] = (
    Endpoint(
        "POST", f"{_RUNS}/stream", Role.CLIENT, NoFields, RunBody, stream, asks=THREADS_CREATE_RUN
    ),
    Endpoint(
        "POST", "/runs/stream", Role.CLIENT, NoFields, RunBody, stream, asks=THREADS_CREATE_RUN
    ),
    Endpoint(
        "POST", f"{_RUNS}/wait", Role.CLIENT, NoFields, RunBody, wait, asks=THREADS_CREATE_RUN
    ),
    Endpoint("POST", "/runs/wait", Role.CLIENT, NoFields, RunBody, wait, asks=THREADS_CREATE_RUN),
    Endpoint("POST", _RUNS, Role.CLIENT, NoFields, RunBody, create, asks=THREADS_CREATE_RUN),
    Endpoint("POST", "/runs", Role.CLIENT, NoFields, RunBody, create, asks=THREADS_CREATE_RUN),
    Endpoint(
        "GET", _RUNS, Role.VIEWER, RunsQuery, NoFields, listed, has_values=True, asks=THREADS_READ
    ),
    Endpoint(
        "GET", _RUN, Role.VIEWER, NoFields, NoFields, show, has_values=True, asks=THREADS_READ
    ),
    Endpoint("DELETE", _RUN, Role.ADMIN, NoFields, NoFields, delete, 204, asks=THREADS_DELETE),
    Endpoint(
        "GET",
        f"{_RUN}/join",
        Role.VIEWER,
        JoinQuery,
        NoFields,
        join,
        has_values=True,
        asks=THREADS_READ,
    ),
    Endpoint(
        "GET",
        "/runs/{run_id}/join",
        Role.VIEWER,
        JoinQuery,
        NoFields,
        join,
        has_values=True,
        asks=THREADS_READ,
    ),
    Endpoint(
        "GET",
        f"{_RUN}/stream",
        Role.VIEWER,
        JoinStreamQuery,
        NoFields,
        join_stream,
        has_values=True,
        asks=THREADS_READ,
    ),
    Endpoint(
        "GET",
        "/runs/{run_id}/stream",
        Role.VIEWER,
        JoinStreamQuery,
        NoFields,
        join_stream,
        has_values=True,
        asks=THREADS_READ,
    ),
    Endpoint(
        "POST",
        f"{_RUN}/cancel",
        Role.CLIENT,
        CancelQuery,
        NoFields,
        cancel,
        202,
        asks=THREADS_UPDATE,
    ),
)
