"""Events as server-sent events, for any web framework."""

from __future__ import annotations

__all__ = ["KEEP_ALIVE", "astream_sse", "cursor", "frame"]

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable

from penstock.publisher.codec import Codec
from penstock.publisher.errors import InvalidCursorError
from penstock.publisher.event import Event

KEEP_ALIVE = ": keep-alive\n\n"
"""A comment that holds the connection open through proxies."""


def frame(event: Event, codec: Codec | None = None) -> str:
    """Write an event as one frame: its seq as `id`, its mode as `event`, its data as JSON."""
    mode = " ".join(event.mode.split())
    return f"id: {event.seq}\nevent: {mode}\ndata: {(codec or Codec()).dumps(event.data)}\n\n"


def cursor(last_event_id: str | None) -> int:
    """Read the `Last-Event-ID` header of a browser that comes back: the cursor to go on from.

    Raises:
        InvalidCursorError: the header holds anything but a seq.
    """
    text = (last_event_id or "").strip()
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        raise InvalidCursorError(
            f"the header Last-Event-ID is the id of an event, a whole number, not {text[:40]!r}"
        )
    return int(text)


async def astream_sse(
    events: AsyncIterable[Event], *, keep_alive: float = 15.0, codec: Codec | None = None
) -> AsyncGenerator[str]:
    """Write events as frames, with a comment after each `keep_alive` seconds of silence."""
    codec = codec or Codec()
    iterator = aiter(events)
    pending: asyncio.Future[Event] | None = None
    try:
        while True:
            pending = pending or asyncio.ensure_future(anext(iterator))
            done, _ = await asyncio.wait((pending,), timeout=keep_alive)
            if not done:
                yield KEEP_ALIVE
                continue
            try:
                event = pending.result()
            except StopAsyncIteration:
                return
            pending = None
            yield frame(event, codec)
    finally:
        if pending is not None:
            pending.cancel()
            await asyncio.gather(pending, return_exceptions=True)
