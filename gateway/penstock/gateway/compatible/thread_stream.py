"""The stream of a thread: those of all its runs, one after the other."""

from __future__ import annotations

__all__ = ["ENDPOINTS"]

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Literal
from urllib.parse import quote

from pydantic import Field
from starlette.responses import Response

from penstock.gateway.auth.role import Role
from penstock.gateway.call import Call
from penstock.gateway.compatible.access import is_admitted
from penstock.gateway.compatible.asks import THREADS_READ
from penstock.gateway.compatible.frames import HEARTBEAT, Cursor, frame, read_cursor
from penstock.gateway.compatible.legs import FoundLeg, find_leg
from penstock.gateway.compatible.request_model import Listed, NoFields, RequestModel
from penstock.gateway.compatible.responses import with_query
from penstock.gateway.compatible.run_body import DEFAULT_MODES
from penstock.gateway.compatible.streams import StreamOptions, event_frames
from penstock.gateway.compatible.thread_legs import ALL, follow_legs
from penstock.gateway.compatible.thread_reading import ThreadReader
from penstock.gateway.endpoint import Endpoint
from penstock.gateway.event_stream import FrameStream
from penstock.runtime.client.async_client import AsyncClient
from penstock.runtime.errors import ThreadNotFoundError

Mode = Literal["run_modes", "lifecycle", "state_update"]


class ThreadStreamQuery(RequestModel):
    """What is sent of the runs of a thread."""

    stream_mode: Annotated[list[Mode], Listed] = Field(
        default_factory=lambda: list[Mode](["run_modes"])
    )
    """What each run was asked for with; begins and ends alone; states."""


class ThreadStream(FrameStream):
    """The frames of a thread."""

    comment: ClassVar[str] = HEARTBEAT


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a reader goes on: in which leg, and behind which of its events."""

    leg_id: str | None = None
    cursor: Cursor | None = None
    is_over: bool = False
    """Whether the reader has seen the end of the leg."""


async def join(call: Call[ThreadStreamQuery, NoFields]) -> Response:
    """Follow all runs of a thread as server-sent events, until the client leaves."""
    thread_id = call.path["thread_id"]
    await ThreadReader(call.client).record(thread_id)
    place = _read_place(call.headers.get("last-event-id"))
    if place.leg_id not in (None, ALL):
        await find_leg(call.client, place.leg_id, thread_id)  # before anything is sent
    frames = _frames(call, thread_id, place)
    back = with_query(f"/threads/{quote(thread_id, safe='')}/stream", call.query)
    return ThreadStream(frames, call.shared, call.identity, {"Location": back})


def _read_place(last_event_id: str | None) -> _Place:
    """Read the header Last-Event-ID: the leg, and the id that its own stream has.

    Raises:
        RequestError: it is not the id of a frame.
    """
    text = (last_event_id or "").strip()
    if text in ("", ALL):
        return _Place(text or None)
    leg_id, _, cursor = text.rpartition(":")
    if cursor == _END:
        return _Place(leg_id, is_over=True)
    return _Place(leg_id, read_cursor(cursor))


async def _frames(
    call: Call[ThreadStreamQuery, NoFields], thread_id: str, place: _Place
) -> AsyncGenerator[str]:
    client, modes = call.client, call.query.stream_mode
    async with aclosing(follow_legs(client, thread_id, place.leg_id, call.shared.news)) as legs:
        async for found in legs:
            if not await is_admitted(client, thread_id, call.filter):
                return  # it was deleted, and is of somebody else now
            is_begun = found.leg.leg_id == place.leg_id
            if is_begun and place.is_over:
                continue
            cursor = place.cursor if is_begun else None
            options = StreamOptions(_modes(found, modes), _has_subgraphs(found), cursor)
            write = _LegWriter(found.leg.leg_id)
            async with aclosing(event_frames(client, found, options, write)) as frames:
                async for each in frames:
                    yield each
            if "state_update" in modes:
                yield await _state(client, thread_id)
            yield write.end()


async def _state(client: AsyncClient, thread_id: str) -> str:
    reader = ThreadReader(client)
    try:
        record = await reader.record(thread_id)
    except ThreadNotFoundError:  # it was deleted
        return ""
    return frame("state_update", reader.shown(await reader.newest(thread_id), record))


def _modes(found: FoundLeg, modes: Sequence[Mode]) -> Sequence[str]:
    given: Any = found.leg.request.get("kwargs", {}).get("stream_mode", DEFAULT_MODES)
    return given if "run_modes" in modes else ()


def _has_subgraphs(found: FoundLeg) -> bool:
    return bool(found.leg.request.get("kwargs", {}).get("stream_subgraphs", False))


_END: Final = "end"


class _LegWriter:
    """Writes the frames of a leg with ids that are places in the thread."""

    def __init__(self, leg_id: str) -> None:
        self._leg_id = leg_id

    def __call__(self, event: str, data: Any, cursor: Cursor | None = None) -> str:
        """Write a frame; the end of a leg is not that of the stream, and has a frame of its own."""
        if event == "end":
            return ""
        return frame(event, data, None if cursor is None else f"{self._leg_id}:{cursor}")

    def end(self) -> str:
        """Write that the leg is over."""
        data = {"status": "run_done", "run_id": self._leg_id}
        return frame("metadata", data, f"{self._leg_id}:{_END}")


ENDPOINTS: Final[Sequence[Endpoint[Any, Any]]] = (
    Endpoint(
        "GET",
        "/threads/{thread_id}/stream",
        Role.VIEWER,
        ThreadStreamQuery,
        NoFields,
        join,
        has_values=True,
        asks=THREADS_READ,
    ),
)
