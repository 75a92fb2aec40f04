"""A response of server-sent events that can be cut, and that a slow reader cannot hold up."""

from __future__ import annotations

__all__ = ["EventStream", "Events", "FrameStream", "event_response"]

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import ClassVar, Final, TypeAlias

from redis.exceptions import RedisError
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from penstock.gateway.auth.identity import Identity
from penstock.gateway.batches import batches
from penstock.gateway.json_text import event_frame
from penstock.gateway.shared import Shared
from penstock.gateway.streams import Slot, StreamCut
from penstock.publisher.errors import RedisUnavailableError
from penstock.publisher.event import Event
from penstock.publisher.sse import KEEP_ALIVE, write_sse
from penstock.runtime.client.run_stream import AsyncRunStream, resumption

logger = logging.getLogger(__name__)

Events: TypeAlias = AsyncRunStream | AsyncGenerator[Event]
"""The events of a run, as they come."""

OVER: Final = 204
"""The status that keeps an EventSource from coming back: it has seen the end."""

_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""Caches and proxies pass each piece on at once."""

_PASSING: Final = (RedisUnavailableError, RedisError, OSError)
"""Errors that may be gone when the client comes back."""


class FrameStream(Response):
    """Frames as they come; cut if Redis is away, the process ends or the client takes nothing."""

    media_type = "text/event-stream"
    comment: ClassVar[str] = KEEP_ALIVE
    """What is sent after some silence."""

    def __init__(
        self,
        frames: AsyncGenerator[str],
        shared: Shared,
        identity: Identity,
        headers: Mapping[str, str] | None = None,
        slot: Slot | None = None,
    ) -> None:
        super().__init__(headers={**_HEADERS, **(headers or {})})
        del self.headers["content-length"]
        self._frames = frames
        self._shared = shared
        self._identity = identity
        self._slot = slot

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events, until they end, the client leaves, or the stream is cut.

        Raises:
            RequestError: too many streams are open; nothing was sent.
            StreamCut: the server is to close the connection without an end of the body.
        """
        with self._slot or self._shared.streams.slot(self._identity) as cut:
            start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
            await send(start)
            if scope["method"] == "HEAD":
                await send({"type": "http.response.body", "body": b""})
                return
            sending = asyncio.ensure_future(self._send(send))
            leaving = asyncio.ensure_future(_left(receive))
            cutting = asyncio.ensure_future(cut.wait())
            tasks = (sending, leaving, cutting)
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            if not leaving.cancelled():
                await self._end_early()
                return
            if sending.cancelled():
                raise StreamCut
            sending.result()

    async def _send(self, send: Send) -> None:
        try:
            async with (
                aclosing(self._frames) as frames,
                aclosing(self._pieces(frames)) as pieces,
            ):
                async for piece in pieces:
                    await self._deliver(send, piece)
        except _PASSING as error:
            raise StreamCut from error
        await send({"type": "http.response.body", "body": b""})

    def _pieces(self, frames: AsyncGenerator[str]) -> AsyncGenerator[bytes]:
        return batches(frames, self._shared.settings.pulse, comment=self.comment)

    async def _end_early(self) -> None:
        """Do what is to be done if the client has left before the end."""

    async def _deliver(self, send: Send, piece: bytes) -> None:
        limit = self._shared.settings.send_timeout
        try:
            async with asyncio.timeout(limit):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        except TimeoutError:
            logger.info(
                "a client of %r did not take its events for %g s", self._identity.name, limit
            )
            raise StreamCut from None


class EventStream(FrameStream):
    """The events of a run."""

    def __init__(self, events: Events, shared: Shared, identity: Identity) -> None:
        super().__init__(write_sse(events, event_frame), shared, identity)
        self._events = events

    async def _send(self, send: Send) -> None:
        async with aclosing(self._events):
            await super()._send(send)


async def event_response(
    shared: Shared, identity: Identity, run_id: str, cursor: str, follow: Callable[[int], Events]
) -> Response:
    """Send the events of a run that `follow` gives after a cursor; none if that is the end.

    Raises:
        InvalidCursorError: the cursor is not the number of an event.
        RunNotFoundError: there is no such run.
        CursorExpiredError: the next event is no longer kept, or does not exist.
    """
    after = await shared.client.do(resumption(shared.client.plans, run_id, cursor))
    if after is None:
        return Response(status_code=OVER)
    return EventStream(follow(after), shared, identity)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
