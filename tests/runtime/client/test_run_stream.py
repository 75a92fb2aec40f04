"""How streams of runs end, for readers in Python and for browsers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from penstock.publisher import (
    CursorExpiredError,
    Event,
    InvalidCursorError,
    astream_sse,
    stream_sse,
)
from penstock.runtime import entrypoint, get_stream_writer, interrupt
from penstock.runtime.client.run import RunHandle
from penstock.runtime.errors import RunNotFoundError
from penstock.runtime.testing import InMemoryWorker


@entrypoint()
def flow(what: str) -> Any:
    get_stream_writer()("working")
    if what == "fail":
        raise ValueError("broken")
    return interrupt("?") if what == "ask" else what


@pytest.fixture
def worker() -> Iterator[InMemoryWorker]:
    with InMemoryWorker([flow]) as worker:
        yield worker


@pytest.fixture
def runner(worker: InMemoryWorker) -> Iterator[asyncio.Runner]:
    """The loop that the worker's asyncio client belongs to."""
    with asyncio.Runner() as runner:
        runner.run(worker.aclient.__aenter__())
        yield runner
        runner.run(worker.aclient.__aexit__(None, None, None))


def ended(worker: InMemoryWorker, how: str) -> RunHandle:
    """A run that has ended so, or waits."""
    given = {"completed": "x", "failed": "fail", "cancelled": "ask", "suspended": "ask"}
    run = worker.client.enqueue(flow, given[how])
    worker.work()
    if how == "cancelled":
        run.cancel()
    assert run.status() == how
    return run


Read = Callable[..., tuple[list[Event], Event | None]]


@pytest.fixture(params=["sync", "async"])
def read(request: pytest.FixtureRequest, worker: InMemoryWorker, runner: asyncio.Runner) -> Read:
    """The events of a stream, and its end."""

    async def aread(run_id: str, modes: Any, after: int) -> tuple[list[Event], Event | None]:
        stream = (await worker.aclient.get(run_id)).stream(modes, after=after)
        return [event async for event in stream], stream.end

    def read(
        run: RunHandle, modes: str | Sequence[str], after: int = 0
    ) -> tuple[list[Event], Event | None]:
        if request.param == "async":
            return runner.run(aread(run.run_id, modes, after))
        stream = run.stream(modes, after=after)
        return list(stream), stream.end

    return read


REASONS = {"failed": {"reason": "ValueError: broken"}, "cancelled": {"reason": "cancelled"}}


@pytest.mark.parametrize("how", ["completed", "failed", "cancelled", "suspended"])
def test_a_stream_knows_how_it_ended(worker: InMemoryWorker, read: Read, how: str) -> None:
    run = ended(worker, how)

    events, end = read(run, "custom")

    assert [event.data for event in events] == ["working"]
    assert end is not None
    assert end.mode == ("run.interrupted" if how == "suspended" else "run.finished")
    assert end.data == {"name": "flow", "status": how, **REASONS.get(how, {})}
    assert end.seq == worker.client.do(worker.client.plans.last_seq(run.run_id))


@pytest.mark.parametrize("how", ["failed", "cancelled"])
def test_a_reader_of_several_modes_is_shown_the_end_of_a_run_that_did_not_complete(
    worker: InMemoryWorker, read: Read, how: str
) -> None:
    events, end = read(ended(worker, how), ["custom", "values"])
    again, _ = read(ended(worker, how), ["custom", "values"], end.seq if end else 0)

    assert [(event.mode, event.data) for event in events if event.mode != "values"] == [
        ("custom", "working"),
        ("run.finished", {"name": "flow", "status": how, **REASONS[how]}),
    ]
    assert events[-1] == end
    assert [event.mode for event in again] == ["run.finished"]


def test_a_reader_of_several_modes_sees_the_result_last(worker: InMemoryWorker, read: Read) -> None:
    events, _ = read(ended(worker, "completed"), ["custom", "values"])

    assert [tuple(event) for event in events] == [("custom", "working"), ("values", "x")]


def test_a_run_that_was_resumed_is_followed_past_its_failure(
    worker: InMemoryWorker, read: Read
) -> None:
    run = ended(worker, "failed")
    _, first = read(run, "custom")
    run.resume()
    worker.work()

    _, end = read(run, "custom")

    assert first is not None and end is not None
    assert end.seq > first.seq
    assert end.data["status"] == "failed"


# -- for browsers -------------------------------------------------------------------------------


Frames = Callable[..., list[list[str]]]


@pytest.fixture
def frames(worker: InMemoryWorker, runner: asyncio.Runner) -> Frames:
    """What both helpers send, which is the same."""

    async def aframes(run_id: str, after: int) -> list[str]:
        stream = (await worker.aclient.get(run_id)).stream("custom", after=after)
        return [text async for text in astream_sse(stream)]

    def frames(run: RunHandle, after: int = 0) -> list[list[str]]:
        sent = list(stream_sse(run.stream("custom", after=after)))
        assert sent == runner.run(aframes(run.run_id, after))
        return [text.splitlines() for text in sent]

    return frames


@pytest.mark.parametrize("how", ["completed", "failed", "cancelled"])
def test_the_last_frame_says_how_a_run_ended_also_to_who_comes_back(
    worker: InMemoryWorker, frames: Frames, how: str
) -> None:
    run = ended(worker, how)

    first = frames(run)
    seq = int(first[-1][0].removeprefix("id: "))
    again = frames(run, after=seq)

    assert [lines[1] for lines in first] == ["event: custom", "event: run.finished"]
    assert f'"status":"{how}"' in first[-1][2]
    assert again == first[-1:]
    assert run.cursor(str(seq)) is None


def test_the_last_frame_says_that_a_run_waits_and_who_comes_back_waits_with_it(
    worker: InMemoryWorker, frames: Frames
) -> None:
    run = ended(worker, "suspended")

    last = frames(run)[-1]
    seq = int(last[0].removeprefix("id: "))

    assert last[1:3] == [
        "event: run.interrupted",
        'data: {"name":"flow","status":"suspended"}',
    ]
    assert run.cursor(str(seq)) == seq
    run.resume("yes")
    worker.work()
    assert [lines[1] for lines in frames(run, after=seq)][-1] == "event: run.finished"


def test_the_last_frame_says_that_a_cursor_has_expired(
    worker: InMemoryWorker, frames: Frames
) -> None:
    run = ended(worker, "completed")

    (last,) = frames(run, after=99)

    assert last[:2] == ["event: stream.failed", 'data: {"error":"CursorExpiredError"}']


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_cursor_is_judged_before_anything_is_sent(
    worker: InMemoryWorker, runner: asyncio.Runner, kind: str
) -> None:
    run = ended(worker, "completed")
    end = worker.client.do(worker.client.plans.last_seq(run.run_id))

    def cursor(header: str | None) -> int | None:
        if kind == "sync":
            return run.cursor(header)
        handle = runner.run(worker.aclient.get(run.run_id))
        return runner.run(handle.cursor(header))

    assert [cursor(None), cursor(""), cursor("0")] == [0, 0, 0]
    assert cursor(f" {end - 1} ") == end - 1
    assert cursor(str(end)) is None
    for header in ("x", "-1", "1.5", "9" * 17):
        with pytest.raises(InvalidCursorError):
            cursor(header)
    with pytest.raises(CursorExpiredError) as expired:
        cursor(str(end + 1))
    assert expired.value.oldest is None


def test_a_cursor_whose_next_event_is_no_longer_kept_has_expired(worker: InMemoryWorker) -> None:
    run = ended(worker, "completed")
    key = worker.client.plans.keys.events(run.run_id)
    worker.connection.lpop(key)

    with pytest.raises(CursorExpiredError, match="oldest event kept is"):
        run.cursor("")


def test_the_cursor_of_a_run_that_is_gone_names_the_run(worker: InMemoryWorker) -> None:
    run = ended(worker, "completed")
    worker.connection.flushall()

    with pytest.raises(RunNotFoundError, match=run.run_id):
        run.cursor("1")
