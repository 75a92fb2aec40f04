"""Random programs: who follows their runs, with breaks, learns of each event once, in order."""

from __future__ import annotations

from collections import Counter, defaultdict
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.publisher.event import parse
from penstock.publisher.stored import event_of
from penstock.runtime import Client, FeedEntry, entrypoint, get_stream_writer, interrupt
from penstock.runtime.client.run import RunHandle
from penstock.runtime.errors import PenstockError
from penstock.runtime.redis.keys import Keys
from penstock.runtime.settings import Settings
from penstock.runtime.testing import InMemoryWorker
from tests.faults.support.fed import CHANGES

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")

THREADS = ("t", "u", None)


@entrypoint()
def talk(what: str) -> Any:
    write = get_stream_writer()
    write("begins")
    if what == "fail":
        raise ValueError("broken")
    answer = interrupt("?") if what == "ask" else what
    write("ends")
    return answer


class Program:
    """What a program does to the runs of a worker, and those that it has enqueued."""

    def __init__(self, worker: InMemoryWorker) -> None:
        self.worker = worker
        self.client: Client = worker.client
        self.runs: list[RunHandle] = []

    def do(self, operation: str, number: int) -> None:
        """Do one operation, if it can be done."""
        with suppress(PenstockError):
            self._do(operation, number)

    def _do(self, operation: str, number: int) -> None:
        thread = THREADS[number % 3]
        run = self.runs[number % len(self.runs)] if self.runs else None
        if operation == "work":
            self.worker.work()
        elif operation == "update":
            self.client.thread(thread or "t").update("given")
        elif operation in ("ok", "ask", "fail"):
            on_busy: Any = ("queue", "interrupt", "rollback")[number // 3 % 3]
            run = self.client.enqueue(talk, operation, thread_id=thread, on_busy=on_busy)
            self.runs.append(run)
        elif run is not None and operation == "answer":
            run.resume("yes")
        elif run is not None and operation == "resume":
            run.resume()
        elif run is not None and operation == "rerun":
            self.runs.append(run.rerun())
        elif run is not None:
            run.cancel()

    def end(self) -> str:
        """End all runs, and return the id of the last one of each thread, whose words are known."""
        self.worker.work()
        list(self.client.bulk("cancel", all=True))
        last = [self.client.enqueue(talk, "ok", thread_id=thread) for thread in THREADS[:2]]
        self.worker.work()
        self.runs += last
        return last[1].run_id

    def changes(self) -> list[tuple[str, int, str]]:
        """The changes of all runs, as their own events tell of them."""
        found: list[tuple[str, int, str]] = []
        for run in self.runs:
            items: Any = self.client.connection.lrange(Keys().events(run.run_id), 0, -1)
            for seq, text in map(event_of, items):
                mode = parse(text, seq, run.run_id)["mode"]
                found += [(run.run_id, seq, mode)] * (mode in CHANGES)
        return found


def followed(client: Client, breaks: list[int]) -> list[FeedEntry]:
    """Read the feed up to its end, by followers that read up to so many entries."""
    found: list[FeedEntry] = []
    feed = client.follow(after="0")
    while len(found) < client.connection.xlen(Keys().feed):
        if breaks and len(found) == breaks[0]:
            breaks.pop(0)
            feed = client.follow(after=feed.cursor)
        found.append(next(feed))
    return found


def read(client: Client, thread_id: str, last: str, breaks: list[int]) -> list[tuple[str, str]]:
    """Read a thread's words up to the last one of a run, by readers that read up to so many."""
    found: list[tuple[str, str]] = []
    stream = client.thread(thread_id).stream("custom", after="0")
    while found[-1:] != [(last, "ends")]:
        if breaks and len(found) == breaks[0]:
            breaks.pop(0)
            cursor = stream.cursor
            stream.close()
            stream = client.thread(thread_id).stream("custom", after=cursor)
        event = next(stream)
        found.append((event.run_id, event.data))
    stream.close()
    return found


OPERATIONS = st.sampled_from(
    ["ok", "ask", "fail", "work", "work", "answer", "resume", "cancel", "rerun", "update"]
)
BREAKS = st.lists(st.integers(1, 30), unique=True, max_size=6).map(sorted)


@settings(max_examples=10)
@given(st.lists(st.tuples(OPERATIONS, st.integers(0, 50)), max_size=16), BREAKS)
def test_f109_a_random_program_is_followed_exactly_once(
    operations: list[tuple[str, int]], breaks: list[int]
) -> None:
    with InMemoryWorker([talk], settings=Settings(feed=1000)) as worker:
        program = Program(worker)
        for operation, number in operations:
            program.do(operation, number)
        last = program.end()

        entries = followed(program.client, list(breaks))

        told = [(entry.run_id, entry.seq, entry.event) for entry in entries]
        assert Counter(told) == Counter(program.changes())
        by_run: dict[str, list[int]] = defaultdict(list)
        for run_id, seq, _ in told:
            by_run[run_id].append(seq)
        assert all(seqs == sorted(seqs) for seqs in by_run.values())
        check_thread(program, last, list(breaks))


def check_thread(program: Program, last: str, breaks: list[int]) -> None:
    """Each word of the thread's runs is read once, in the order of its run."""
    words = read(program.client, "u", last, breaks)
    for run in program.runs:
        if run.thread_id == "u":
            own = [data for name, data in words if name == run.run_id]
            assert own == spoken(program.client, run.run_id)


def spoken(client: Client, run_id: str) -> list[str]:
    items: Any = client.connection.lrange(Keys().events(run_id), 0, -1)
    events = [parse(text, seq, run_id) for seq, text in map(event_of, items)]
    return [event["data"] for event in events if event["mode"] == "custom"]
