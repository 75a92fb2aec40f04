"""The routes of the thread protocol."""

from __future__ import annotations

__all__ = ["ENDPOINTS", "EVENTS"]

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Final

from starlette.responses import Response

from penstock.gateway.auth.role import Role
from penstock.gateway.call import Call
from penstock.gateway.compatible.asks import THREADS_READ, asks_each
from penstock.gateway.compatible.frames import frame
from penstock.gateway.compatible.protocol.command import CommandBody, failure
from penstock.gateway.compatible.protocol.commands import execute
from penstock.gateway.compatible.protocol.subscription import EventsBody
from penstock.gateway.compatible.protocol.thread_events import follow_thread
from penstock.gateway.compatible.request_model import NoFields
from penstock.gateway.compatible.thread_stream import ThreadStream
from penstock.gateway.endpoint import Endpoint, answer_json
from penstock.publisher.errors import CursorExpiredError


async def command(call: Call[NoFields, CommandBody]) -> Response:
    """Do what a command of the thread protocol asks: begin a run, answer, cancel, fork, read."""
    return answer_json(await execute(call, call.body))


async def events(call: Call[NoFields, EventsBody]) -> Response:
    """Follow what all runs of a thread do, on the channels that are asked for; it has no end."""
    return ThreadStream(_frames(call), call.shared, call.identity)


async def _frames(call: Call[NoFields, EventsBody]) -> AsyncGenerator[str]:
    try:
        async with aclosing(follow_thread(call, call.body)) as found:
            async for each in found:
                yield frame(each.name, each.view, str(each.seq))
    except CursorExpiredError as error:
        yield frame("error", failure(None, error, "unknown_error"))


EVENTS: Final = Endpoint(
    "POST",
    "/threads/{thread_id}/stream/events",
    Role.VIEWER,
    NoFields,
    EventsBody,
    events,
    has_values=True,
    asks=THREADS_READ,
)
"""The stream of a thread, which may be had over a WebSocket, too."""

ENDPOINTS: Final[Sequence[Endpoint[Any, Any]]] = (
    Endpoint(
        "POST",
        "/threads/{thread_id}/commands",
        Role.CLIENT,
        NoFields,
        CommandBody,
        command,
        asks=asks_each,
    ),
    EVENTS,
)
