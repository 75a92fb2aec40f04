from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import nullcontext
from typing import Any

import pytest

from penstock.publisher.errors import (
    CursorExpiredError,
    InvalidCursorError,
    PenstockError,
    RedisUnavailableError,
)
from penstock.publisher.event import Event
from penstock.publisher.sse import KEEP_ALIVE, astream_sse, cursor, frame, stream_sse


def event(seq: int, data: Any = None, mode: str = "custom") -> Event:
    return Event(seq, "r", "r", mode, (), data, 1, 0.0)


def test_a_frame_has_the_seq_the_mode_and_the_data() -> None:
    assert frame(event(3, {"a": "x\ny"})) == ('id: 3\nevent: custom\ndata: {"a":"x\\ny"}\n\n')


def test_a_mode_cannot_add_fields() -> None:
    assert frame(event(3, 1, "a\r\ndata: b")) == "id: 3\nevent: a data: b\ndata: 1\n\n"


@pytest.mark.parametrize(("header", "seq"), [(None, 0), ("", 0), ("0", 0), (" 17 ", 17)])
def test_a_browser_that_comes_back_says_where_it_was(header: str | None, seq: int) -> None:
    assert cursor(header) == seq


@pytest.mark.parametrize("header", ["-1", "1.0", "x", "1e3", "٣", "9" * 17, "1-0"])
def test_a_wrong_header_is_named(header: str) -> None:
    with pytest.raises(InvalidCursorError, match="Last-Event-ID") as caught:
        cursor(header)

    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, PenstockError)


def test_silence_is_filled_with_comments() -> None:
    go_on = asyncio.Event()

    async def slow() -> AsyncIterator[Event]:
        yield event(1, 1)
        await go_on.wait()
        yield event(2, 2)

    async def main() -> list[str]:
        frames: list[str] = []
        async for text in astream_sse(slow(), keep_alive=0.01):
            frames.append(text)
            if frames.count(KEEP_ALIVE) == 2:
                go_on.set()
        return frames

    frames = asyncio.run(main())
    assert frames[:3] == [frame(event(1, 1)), KEEP_ALIVE, KEEP_ALIVE]
    assert frames[-1] == frame(event(2, 2))


def test_a_response_that_is_closed_closes_what_it_waits_for() -> None:
    closed: list[bool] = []

    async def endless() -> AsyncIterator[Event]:
        try:
            await asyncio.get_running_loop().create_future()
            yield event(1)
        finally:
            closed.append(True)

    async def main() -> None:
        stream = astream_sse(endless(), keep_alive=0.01)
        assert await anext(stream) == KEEP_ALIVE
        await stream.aclose()
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())
    assert closed == [True]


def test_an_error_of_the_events_is_the_streams_error() -> None:
    async def broken() -> AsyncIterator[Event]:
        yield event(1)
        raise PenstockError("broken")

    async def main() -> None:
        async for _ in astream_sse(broken()):
            pass

    with pytest.raises(PenstockError, match="broken"):
        asyncio.run(main())


# -- the last frame -----------------------------------------------------------------------------


class Told:
    """A stream that knows how it ended, as those of runs do; or that breaks."""

    def __init__(self, events: list[Event], end: Event | None, error: Exception | None) -> None:
        self._events = iter(events)
        self._error = error
        self.end = end

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        for event in self._events:
            return event
        if self._error is not None:
            raise self._error
        raise StopIteration

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        for event in self._events:
            return event
        if self._error is not None:
            raise self._error
        raise StopAsyncIteration


Frames = Callable[..., list[str]]


async def _collect(events: Told, sent: list[str]) -> None:
    async for text in astream_sse(events):
        sent.append(text)


@pytest.fixture(params=["sync", "async"])
def frames(request: pytest.FixtureRequest) -> Frames:
    """What is sent of a stream; of one that raises, until then."""

    def make(
        *events: Event,
        end: Event | None = None,
        error: Exception | None = None,
        raises: bool = False,
    ) -> list[str]:
        sent: list[str] = []
        told = Told(list(events), end, error)
        with pytest.raises(type(error)) if error and raises else nullcontext():
            if request.param == "sync":
                sent.extend(text for text in stream_sse(told))
            else:
                asyncio.run(_collect(told, sent))
        return sent

    return make


def test_a_stream_ends_with_the_frame_of_its_end(frames: Frames) -> None:
    end = event(9, {"status": "completed"}, "run.finished")

    assert frames(event(1), end=end) == [frame(event(1)), frame(end)]
    assert frames(end=end) == [frame(end)]


def test_an_end_that_was_an_event_already_is_sent_once(frames: Frames) -> None:
    end = event(9, {"status": "failed"}, "run.finished")

    assert frames(event(1), end, end=end) == [frame(event(1)), frame(end)]


def test_a_cursor_that_has_expired_ends_a_stream_with_a_frame_that_says_so(frames: Frames) -> None:
    sent = frames(error=CursorExpiredError("r", 4, 9))

    assert sent == ['event: stream.failed\ndata: {"error":"CursorExpiredError"}\n\n']


@pytest.mark.parametrize("error", [PenstockError("secret"), ZeroDivisionError("secret")])
def test_an_error_is_named_in_the_last_frame_and_raised(frames: Frames, error: Exception) -> None:
    sent = frames(event(1), error=error, raises=True)

    last = f'event: stream.failed\ndata: {{"error":"{type(error).__name__}"}}\n\n'
    assert sent == [frame(event(1)), last]


@pytest.mark.parametrize("error", [RedisUnavailableError("away"), TimeoutError("no event for 5 s")])
def test_where_redis_is_away_no_frame_keeps_a_browser_from_coming_back(
    frames: Frames, error: Exception
) -> None:
    assert frames(event(1), error=error, raises=True) == [frame(event(1))]
