"""Events as server-sent events, for any web framework."""

from __future__ import annotations

__all__ = [
    "FAILED",
    "KEEP_ALIVE",
    "Write",
    "astream_sse",
    "cursor",
    "frame",
    "stream_sse",
    "write_sse",
]

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Generator, Iterable
from contextlib import aclosing
from functools import partial
from typing import TypeAlias

from redis.exceptions import RedisError

from penstock.publisher.codec.codec import Codec
from penstock.publisher.errors import (
    CursorExpiredError,
    InvalidCursorError,
    RedisUnavailableError,
)
from penstock.publisher.event import Event

Write: TypeAlias = Callable[[Event], str]
"""Makes a frame of an event."""

KEEP_ALIVE = ": keep-alive\n\n"
"""A comment that holds the connection open through proxies."""

FAILED = "stream.failed"
"""The event of the last frame of a stream that an error ended: coming back would not help."""

_PASSING = (RedisUnavailableError, RedisError, OSError)
"""Errors that may be gone when the browser comes back; a `TimeoutError` is an `OSError`."""


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


def stream_sse(events: Iterable[Event], *, codec: Codec | None = None) -> Generator[str]:
    """Write events as frames, the last of them a terminal one, as `astream_sse` does."""
    write = partial(frame, codec=codec or Codec())
    event: Event | None = None
    try:
        for event in events:
            yield write(event)
    except _PASSING:
        raise
    except CursorExpiredError as error:
        yield _failure(error)
    except Exception as error:  # of whatever gives the events
        yield _failure(error)
        raise
    yield from _closing(events, event, write)


async def astream_sse(
    events: AsyncIterable[Event], *, keep_alive: float = 15.0, codec: Codec | None = None
) -> AsyncGenerator[str]:
    """Write events as frames, with a comment after each `keep_alive` seconds of silence.

    The last frame is a terminal one, at which a page closes its `EventSource`: `run.finished` of
    the run that is over, with its `status`; `run.interrupted` where `run.stream` has ended as the
    run waits for an answer; `stream.failed` where an error ends the stream, as an expired cursor.
    Where Redis is away there is none, so that the browser comes back.
    """
    write = partial(frame, codec=codec or Codec())
    async with (
        aclosing(write_sse(events, write)) as frames,
        aclosing(_kept_alive(frames, keep_alive)) as texts,
    ):
        async for text in texts:
            yield text


async def write_sse(events: AsyncIterable[Event], write: Write) -> AsyncGenerator[str]:
    """Write events as frames as `astream_sse` does, in a form of one's own and without comments."""
    event: Event | None = None
    try:
        async for event in events:
            yield write(event)
    except _PASSING:
        raise
    except CursorExpiredError as error:
        yield _failure(error)
    except Exception as error:  # of whatever gives the events
        yield _failure(error)
        raise
    for text in _closing(events, event, write):
        yield text


def _closing(events: object, last: Event | None, write: Write) -> Generator[str]:
    """Write the end of a stream that knows it and has not shown it as its last event."""
    end: Event | None = getattr(events, "end", None)
    if end is not None and end is not last:
        yield write(end)


def _failure(error: Exception) -> str:
    text = Codec().dumps({"error": type(error).__name__})
    return f"event: {FAILED}\ndata: {text}\n\n"


async def _kept_alive(frames: AsyncGenerator[str], seconds: float) -> AsyncGenerator[str]:
    """Give frames, and a comment after each so many seconds without one."""
    pending: asyncio.Future[str | None] | None = None
    try:
        while True:
            pending = pending or asyncio.ensure_future(anext(frames, None))
            done, _ = await asyncio.wait((pending,), timeout=seconds)
            if not done:
                yield KEEP_ALIVE
                continue
            if (text := pending.result()) is None:
                return
            pending = None
            yield text
    finally:
        if pending is not None:
            pending.cancel()
            await asyncio.gather(pending, return_exceptions=True)
