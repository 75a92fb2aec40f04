"""The streams of a thread's runs, one after the other: each event once, from a cursor."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from penstock.publisher import Event
from penstock.runtime import entrypoint, get_stream_writer, interrupt
from penstock.runtime.client.thread_stream import ThreadStream
from penstock.runtime.errors import ConfigurationError, RunNotFoundError
from penstock.runtime.redis.keys import Keys
from penstock.runtime.settings import Settings
from penstock.runtime.testing import InMemoryWorker
from tests.support.until import until

pytestmark = [
    pytest.mark.open_runs,
    pytest.mark.filterwarnings("ignore:no live worker has announced"),
]

MODES = ("custom", "values")


@entrypoint()
def talk(what: str) -> Any:
    write = get_stream_writer()
    write(f"{what} begins")
    if what == "fail":
        raise ValueError("broken")
    answer = interrupt("?") if what == "ask" else what
    write(f"{what} ends")
    return answer


@pytest.fixture
def worker() -> Iterator[InMemoryWorker]:
    with InMemoryWorker([talk], settings=Settings(feed=1000)) as worker:
        yield worker


class Reader:
    """Reads a stream in a thread, up to the first event with certain data."""

    def __init__(self, stream: ThreadStream, last: str) -> None:
        self.events: list[Event] = []
        self._stream = stream
        self._last = last
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for event in self._stream:
            self.events.append(event)
            if event.data == self._last:
                return

    def has_heard(self, word: str) -> bool:
        return word in self.words()

    def words(self) -> list[Any]:
        return [event.data for event in self.events if event.mode == "custom"]

    def join(self) -> list[Any]:
        """Return all words, once the last event has come."""
        self._thread.join(20)
        assert not self._thread.is_alive(), self.events
        return self.words()


def words_of(stream: Iterator[Event], last: str) -> list[Any]:
    """What runs say, up to a word."""
    found = list[Any]()
    for event in stream:
        if event.mode == "custom":
            found.append(event.data)
            if event.data == last:
                break
    return found


def said(*names: str) -> list[str]:
    return [word for name in names for word in (f"{name} begins", f"{name} ends")]


def test_the_runs_of_a_thread_are_read_one_after_the_other(worker: InMemoryWorker) -> None:
    client = worker.client
    reader = Reader(client.thread("t").stream(MODES), "three")

    for name in ("one", "two"):
        client.enqueue(talk, name, thread_id="t")
    client.enqueue(talk, "elsewhere", thread_id="u")
    worker.work()
    client.enqueue(talk, "three", thread_id="t")
    worker.work()

    assert reader.join() == said("one", "two", "three")
    ends = [event for event in reader.events if event.mode == "values"]
    assert [event.data for event in ends] == ["one", "two", "three"]
    assert len({event.run_id for event in ends}) == 3


def test_a_run_that_asks_goes_on_in_the_stream_when_it_is_answered(worker: InMemoryWorker) -> None:
    client = worker.client
    reader = Reader(client.thread("t").stream(MODES), "yes")

    run = client.enqueue(talk, "ask", thread_id="t")
    worker.work()
    until(partial(reader.has_heard, "ask begins"), 10, "the question")
    run.resume("yes")
    worker.work()

    assert reader.join() == ["ask begins", "ask begins", "ask ends"]  # the body is executed again


def test_a_failed_run_and_one_that_is_replaced_have_their_ends(worker: InMemoryWorker) -> None:
    client = worker.client
    reader = Reader(client.thread("t").stream(MODES), "last")

    client.enqueue(talk, "fail", thread_id="t")
    worker.work()
    client.enqueue(talk, "ask", thread_id="t")
    worker.work()
    client.enqueue(talk, "last", thread_id="t")
    worker.work()

    assert reader.join() == ["fail begins", "ask begins", *said("last")]
    ends = [event.data["status"] for event in reader.events if event.mode == "run.finished"]
    assert ends == ["failed", "cancelled"]


def test_a_failed_run_that_is_resumed_is_read_on(worker: InMemoryWorker) -> None:
    client = worker.client
    run = client.enqueue(talk, "fail", thread_id="t")
    worker.work()
    reader = Reader(client.thread("t").stream("custom"), "last ends")

    run.resume()
    worker.work()
    client.enqueue(talk, "last", thread_id="t")
    worker.work()

    assert reader.join() == ["fail begins", *said("last")]


def test_a_reader_begins_with_what_is_under_way(worker: InMemoryWorker) -> None:
    client = worker.client
    client.enqueue(talk, "before", thread_id="t")
    worker.work()
    for name in ("one", "two"):
        client.enqueue(talk, name, thread_id="t")

    reader = Reader(client.thread("t").stream("custom"), "three ends")
    worker.work()
    client.enqueue(talk, "three", thread_id="t")
    worker.work()

    assert reader.join() == said("one", "two", "three")


@pytest.mark.parametrize("count", range(1, 10))
def test_a_reader_goes_on_from_a_cursor(worker: InMemoryWorker, count: int) -> None:
    client = worker.client
    asks = client.enqueue(talk, "ask", thread_id="t")
    worker.work()
    asks.resume("yes")
    for name in ("one", "two", "stop"):
        client.enqueue(talk, name, thread_id="t")
    worker.work()
    expected = ["ask begins", "ask begins", *said("ask")[1:], *said("one", "two", "stop")]

    first = client.thread("t").stream("custom", after="0")
    found = [next(first).data for _ in range(count)]
    cursor = first.cursor
    first.close()
    second = client.thread("t").stream("custom", after=cursor)

    assert [*found, *(words_of(second, "stop ends") if count < len(expected) else [])] == expected


def test_what_is_no_longer_kept_is_an_error_and_can_be_passed(worker: InMemoryWorker) -> None:
    client = worker.client
    gone = client.enqueue(talk, "gone", thread_id="t")
    worker.work()
    client.enqueue(talk, "kept", thread_id="t")
    worker.work()
    client.connection.delete(Keys().run(gone.run_id), Keys().events(gone.run_id))
    stream = client.thread("t").stream("custom", after="0")

    with pytest.raises(RunNotFoundError, match=gone.run_id):
        next(stream)

    assert words_of(client.thread("t").stream("custom", after=stream.cursor), "kept ends") == said(
        "kept"
    )


def test_asyncio_code_reads_a_thread_too(worker: InMemoryWorker) -> None:
    for name in ("one", "two"):
        worker.client.enqueue(talk, name, thread_id="t")
    worker.work()

    async def read() -> tuple[list[Any], list[Any]]:
        async with worker.aclient as client:
            stream = client.thread("t").stream("custom", after="0")
            found = [(await anext(stream)).data for _ in range(3)]
            rest = client.thread("t").stream("custom", after=stream.cursor)
            await stream.aclose()
            last = [(await anext(rest)).data]
            await rest.aclose()
            return found, last

    found, last = asyncio.run(read())
    assert [*found, *last] == said("one", "two")


@pytest.mark.parametrize("after", ["x", "", "W10", "WzEsMl0", "WyIwIixbInIiXSx7fV0"])
def test_a_cursor_is_that_of_a_stream(worker: InMemoryWorker, after: str) -> None:
    with pytest.raises(ConfigurationError, match="cursor of a stream of this thread"):
        worker.client.thread("t").stream(after=after)


def test_without_a_feed_there_is_no_stream_of_a_thread() -> None:
    with InMemoryWorker([talk]) as worker, pytest.raises(ConfigurationError, match="PENSTOCK_FEED"):
        worker.client.thread("t").stream()
