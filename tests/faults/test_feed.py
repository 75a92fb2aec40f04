"""F109: followers of all runs that are killed or cut off, and a Redis that is restarted or lost."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
import redis

from penstock.publisher.stored import event_of
from penstock.runtime import Client, FeedEntry
from penstock.runtime.errors import FeedRewoundError
from penstock.runtime.settings import Settings
from tests.faults.support.fed import CHANGES
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import QUICK, Fleet
from tests.support.attempts import end
from tests.support.proxy import Proxy
from tests.support.server import RedisServer
from tests.support.until import until
from tests.worker.commands import program

pytestmark = [
    pytest.mark.filterwarnings("ignore:no live worker has announced"),
    pytest.mark.open_runs,
]

KEPT = Settings(feed=100_000)

Told = list[tuple[str, int, str]]


def stored(raw: redis.Redis) -> Told:
    """The changes of all runs as their own events tell of them."""
    found: Told = []
    for name in cast("Iterator[bytes]", raw.scan_iter(match="penstock:events:*", count=1000)):
        items: Any = raw.lrange(name, 0, -1)
        run_id = name.decode().rpartition(":")[2]
        for seq, text in map(event_of, items):
            mode = json.loads(text)["mode"]
            found += [(run_id, seq, mode)] * (mode in CHANGES)
    return sorted(found)


def check_told(found: Sequence[FeedEntry | dict[str, Any]], raw: redis.Redis) -> None:
    """Each change once, and in order: those of a run too."""
    told: Told = []
    cursors: list[tuple[int, ...]] = []
    for entry in found:
        fields = (
            entry
            if isinstance(entry, dict)
            else {name: getattr(entry, name) for name in ("run_id", "seq", "event", "cursor")}
        )
        told.append((fields["run_id"], fields["seq"], fields["event"]))
        cursors.append(tuple(map(int, fields["cursor"].split("-"))))
    assert sorted(told) == stored(raw)
    assert cursors == sorted(set(cursors))
    for run_id in {each[0] for each in told}:
        seqs = [seq for name, seq, _ in told if name == run_id]
        assert seqs == sorted(seqs)


class Following:
    """A follower in a thread of this process."""

    def __init__(self, feed: Iterator[FeedEntry]) -> None:
        self.found: list[FeedEntry] = []
        self._last = ""
        self._feed = feed
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        for entry in self._feed:
            self.found.append(entry)
            if (entry.run_id, entry.event) == (self._last, "run.finished"):
                return

    def has_more_than(self, count: int) -> bool:
        return len(self.found) > count

    def end_with(self, run_id: str) -> None:
        """Let it end when it has read of the end of a run."""
        self._last = run_id

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join(30)
        assert not self._thread.is_alive()


@contextmanager
def followed(file: Path, url: str, after: str) -> Generator[subprocess.Popen[bytes]]:
    """A process that writes what it follows to a file."""
    with file.open("ab") as out:
        command = program("follow", "--after", after, "--json", "--redis", url)
        environ = os.environ | {"PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(command, stdout=out, env=environ)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def written(file: Path) -> list[dict[str, Any]]:
    """The lines that were written whole; a line that was cut off is taken away."""
    lines = file.read_bytes().split(b"\n") if file.exists() else [b""]
    if lines[-1]:
        file.write_bytes(b"\n".join([*lines[:-1], b""]))
    return [json.loads(line) for line in lines[:-1]]


@pytest.mark.parametrize("keep", [0, 50])
def test_i37_the_checker_sees_that_the_feed_has_lost_a_run(redis_url: str, keep: int) -> None:
    with Client(redis_url, settings=Settings(feed=100, keep=keep)) as client:
        names = [client.enqueue("main", number).run_id for number in range(2)]
        checker = Checker(client.connection)
        checker.check()

        for cursor, fields in cast("Any", client.connection.xrange("penstock:feed")):
            if fields[b"run"].decode() == names[0]:
                client.connection.xdel("penstock:feed", cursor)

        with pytest.raises(AssertionError, match=f"I37 run {names[0]}"):
            checker.check()


def test_f109_a_follower_that_is_killed_goes_on_from_its_cursor(
    server: RedisServer,
    client: Client,
    fleet: Fleet,
    raw: redis.Redis,
    checker: Checker,
    tmp_path: Path,
) -> None:
    file = tmp_path / "followed"
    workers = [fleet.start(environ=QUICK) for _ in range(2)]
    runs = [client.enqueue("main", {"x": number}) for number in range(30)]
    asks = client.enqueue("ask", "why?", thread_id="t")
    slow = client.enqueue("asteps", {"steps": 4, "seconds": 0.2})
    for count in (5, 40):
        seen = written(file)
        with followed(file, server.url, seen[-1]["cursor"] if seen else "0"):
            until(partial(is_written, file, count), 20, "more entries")
        if count == 5:
            fleet.executing(slow.run_id)
            workers[0].kill()

    asks.result(20)
    asks.resume("yes")
    asks.cancel()
    for run in (*runs, slow):
        run.result(30)
    with followed(file, server.url, written(file)[-1]["cursor"]):
        until(partial(is_written, file, len(stored(raw))), 20, "all entries")

    check_told(written(file), raw)
    checker.check()


def is_written(file: Path, count: int) -> bool:
    return file.read_bytes().count(b"\n") >= count


def test_f109_a_follower_outlives_its_connection_and_its_redis(
    start_redis: Callable[..., RedisServer],
) -> None:
    server = start_redis("--appendonly", "yes", "--appendfsync", "always")
    with Proxy(server.port) as proxy, Client(proxy.url, settings=KEPT) as far:
        following = Following(far.follow())
        with Client(server.url, settings=KEPT) as client:
            faults: list[Callable[[], None]] = [
                proxy.cut,
                lambda: proxy.drop_reply(1, "XREAD"),
                lambda: proxy.drop_reply(1, "XRANGE"),
                server.restart,
            ]
            for fault in faults:
                for number in range(5):
                    end(client, client.enqueue("main", number).run_id, "completed")
                count = len(following.found)
                fault()
                for number in range(5):
                    end(client, client.enqueue("main", number).run_id, "failed")
                until(partial(following.has_more_than, count), 20, "entries after it")
            last = client.enqueue("main", 0)
            following.end_with(last.run_id)
            last.cancel()
        following.join()

        check_told(following.found, server.client())


def test_f109_a_failover_that_loses_entries_is_told(
    start_redis: Callable[..., RedisServer],
) -> None:
    old, new = start_redis(), start_redis()
    new.client().execute_command("REPLICAOF", "127.0.0.1", old.port)
    until(lambda: new.client().info("replication")["master_link_status"] == "up", 15, "a replica")
    with Proxy(old.port) as proxy, Client(proxy.url, settings=KEPT) as client:
        feed = client.follow()
        client.enqueue("main", 1)
        assert old.client().execute_command("WAIT", 1, 5000) == 1
        new.client().execute_command("REPLICAOF", "NO", "ONE")
        lost = client.enqueue("main", 2)
        assert [next(feed).run_id for _ in range(2)][1] == lost.run_id

        proxy.switch(new.port)

        with pytest.raises(FeedRewoundError, match="as at a failover"):
            next(feed)
