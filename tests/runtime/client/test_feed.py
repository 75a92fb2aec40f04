"""Following the changes of runs: each once, in order, from a cursor, or an error that says why."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pytest
import redis

from penstock.publisher import subscribe
from penstock.publisher.codec.encrypted import EncryptedCodec
from penstock.publisher.errors import EncryptionError
from penstock.runtime import AsyncClient, Client, FeedEntry, RunStatus, entrypoint, interrupt, task
from penstock.runtime.client.feed import Feed
from penstock.runtime.errors import ConfigurationError, FeedExpiredError, FeedRewoundError
from penstock.runtime.redis.keys import Keys
from penstock.runtime.redis.plans.feed import PAGE
from penstock.runtime.settings import Settings
from penstock.runtime.testing import InMemoryWorker

pytestmark = [
    pytest.mark.open_runs,
    pytest.mark.filterwarnings("ignore:no live worker has announced"),
]

KEPT = Settings(feed=1000)
FEED = Keys().feed


@task(queue="far")
def far(what: str) -> str:
    return what


@entrypoint()
def flow(what: str) -> Any:
    if what == "fail":
        raise ValueError("broken")
    if what == "far":
        return far(what).result()
    return interrupt("?") if what == "ask" else what


@pytest.fixture
def worker() -> Iterator[InMemoryWorker]:
    with InMemoryWorker([flow], tasks=[far], settings=KEPT) as worker:
        yield worker


@pytest.fixture
def client(redis_url: str) -> Iterator[Client]:
    with Client(redis_url, settings=KEPT) as client:
        yield client


def told(entries: Sequence[FeedEntry]) -> list[tuple[str, str]]:
    return [(entry.event.removeprefix("run."), entry.status) for entry in entries]


def taken(feed: Feed, count: int) -> list[FeedEntry]:
    return list(islice(feed, count))


def rest(client: Client, after: str = "0", **query: Any) -> list[FeedEntry]:
    """All entries that there are behind a cursor: up to those of a run that is enqueued now."""
    last = client.enqueue("last", 0, queue="nobody")
    found = list[FeedEntry]()
    for entry in client.follow(after=after):
        if entry.run_id == last.run_id:
            break
        found.append(entry)
    last.cancel()
    return found


def test_a_follower_learns_of_each_change_of_a_run(worker: InMemoryWorker) -> None:
    client = worker.client
    feed = client.follow()

    asks = client.enqueue(flow, "ask", thread_id="t", tags={"tenant": "acme"})
    worker.work()
    asks.resume("yes")
    worker.work()

    entries = taken(feed, 4)
    assert told(entries) == [
        ("queued", "queued"),
        ("interrupted", "suspended"),
        ("resumed", "queued"),
        ("finished", "completed"),
    ]
    for entry in entries:
        assert (entry.run_id, entry.thread_id, entry.entrypoint) == (asks.run_id, "t", "flow")
        assert entry.tags == {"tenant": "acme"}
        assert datetime.now(UTC) - entry.time < timedelta(minutes=1)
    with subscribe(asks.run_id, connection=client.connection) as events:
        modes = {event.seq: event.mode for event in events}
    assert [modes[entry.seq] for entry in entries] == [entry.event for entry in entries]


def test_a_failure_has_its_cause_until_the_run_is_resumed(worker: InMemoryWorker) -> None:
    run = worker.client.enqueue(flow, "fail")
    worker.work()
    cause = run.info().cause
    run.resume()
    run.cancel()

    entries = taken(worker.client.follow(after="0"), 4)

    assert told(entries)[1:] == [
        ("finished", "failed"),
        ("resumed", "queued"),
        ("finished", "cancelled"),
    ]
    assert cause
    assert [entry.cause for entry in entries] == ["", cause, "", ""]
    assert entries[0].thread_id == run.thread_id == run.run_id


def test_who_waits_for_a_turn_comes_behind_what_it_replaces(worker: InMemoryWorker) -> None:
    client = worker.client
    asks = client.enqueue(flow, "ask", thread_id="t")
    worker.work()
    newer = client.enqueue(flow, "x", thread_id="t")

    entries = taken(client.follow(after="0", thread="t"), 4)

    assert [(entry.run_id, entry.event) for entry in entries[2:]] == [
        (asks.run_id, "run.finished"),
        (newer.run_id, "run.queued"),
    ]


def test_an_update_of_a_failed_run_tells_that_it_went_on(worker: InMemoryWorker) -> None:
    client = worker.client
    client.enqueue(flow, "fail", thread_id="t")
    worker.work()
    client.thread("t").update("given")

    assert told(rest(client))[2:] == [("resumed", "queued"), ("finished", "completed")]


def test_runs_of_remote_steps_are_not_told_of(worker: InMemoryWorker) -> None:
    run = worker.client.enqueue(flow, "far")
    worker.work()

    assert run.status() == "completed"
    assert {entry.run_id for entry in rest(worker.client)} == {run.run_id}


# -- filters and cursors ------------------------------------------------------------------------


def test_a_filter_lets_entries_pass(client: Client) -> None:
    one = client.enqueue("one", 1, thread_id="t", tags={"tenant": "acme", "kind": "x"})
    two = client.enqueue("two", 2, tags={"tenant": "initech"})
    one.cancel()

    def found(**query: Any) -> list[tuple[str, str]]:
        names = {one.run_id: "one", two.run_id: "two"}
        mark = client.enqueue("mark", 0, thread_id="t", tags={"tenant": "acme", "kind": "x"})
        mark.cancel()
        entries = list[tuple[str, str]]()
        for entry in client.follow(after="0", **query):
            if entry.run_id not in names:
                return entries
            entries.append((names[entry.run_id], entry.status))
        raise AssertionError

    changes = [("one", "queued"), ("two", "queued"), ("one", "cancelled")]
    assert found() == changes
    assert found(thread="t") == found(tag={"tenant": "acme"}) == [changes[0], changes[2]]
    assert found(status="cancelled") == [changes[2]]
    assert found(status=("queued", "failed")) == changes[:2]
    assert taken(client.follow(after="0", entrypoint="two"), 1)[0].run_id == two.run_id


def test_a_follower_goes_on_from_a_cursor(client: Client) -> None:
    runs = [client.enqueue("flow", number).run_id for number in range(5)]
    feed = client.follow(after="0")
    first = taken(feed, 2)

    later = client.follow(after=feed.cursor)
    again = client.follow(after=first[0].cursor)

    assert [entry.run_id for entry in taken(later, 3)] == runs[2:]
    assert [entry.run_id for entry in taken(again, 4)] == runs[1:]


def test_the_cursor_of_a_filter_is_behind_what_did_not_pass(client: Client) -> None:
    client.enqueue("one", 1)
    wanted = client.enqueue("two", 2)
    newest = [client.enqueue("one", 1) for _ in range(3)][-1]
    feed = client.follow(after="0", entrypoint="two")

    assert next(feed).run_id == wanted.run_id
    newest.cancel()
    assert next(client.follow(after=feed.cursor)).event == "run.finished"


def test_pages_follow_each_other(client: Client) -> None:
    count = 2 * PAGE + 7
    raw = client.connection
    for number in range(count):
        fields: Any = {"event": "run.queued", "run": f"r{number}", "seq": 1, "entrypoint": "flow"}
        raw.xadd(FEED, {**fields, "thread": "", "status": "queued", "cause": "", "tags": ""})

    found = taken(client.follow(after="0"), count)

    assert [entry.run_id for entry in found] == [f"r{number}" for number in range(count)]
    assert len({entry.cursor for entry in found}) == count


def test_without_a_cursor_a_follower_begins_now(client: Client) -> None:
    client.enqueue("flow", 1)
    feed = client.follow()
    run = client.enqueue("flow", 2)

    assert next(feed).run_id == run.run_id


def test_a_follower_may_come_before_the_first_run(client: Client) -> None:
    feed = client.follow()
    run = client.enqueue("flow", 1)

    assert next(feed).run_id == run.run_id


@pytest.mark.parametrize("after", ["", "x", "1-", "-1", "1-2-3", "9" * 30, 7])
def test_a_cursor_is_that_of_an_entry(client: Client, after: Any) -> None:
    with pytest.raises(ConfigurationError, match="cursor of an entry"):
        client.follow(after=after)


def test_a_filter_that_entries_do_not_have_is_refused(client: Client) -> None:
    query: Any = {"queue": "gpu"}

    with pytest.raises(TypeError, match="queue"):
        client.follow(**query)


# -- what is lost -------------------------------------------------------------------------------


def test_f109_a_cursor_that_was_trimmed_is_an_error(redis_url: str) -> None:
    with Client(redis_url, settings=Settings(feed=1)) as client:
        first = client.follow(after="0")
        client.enqueue("flow", 0)
        cursor = next(first).cursor
        for number in range(250):
            client.enqueue("flow", number)
        oldest = taken(client.follow(after="0"), 1)[0].cursor

        for feed in (first, client.follow(after=cursor)):
            with pytest.raises(FeedExpiredError, match=f"oldest entry kept is {oldest}") as caught:
                next(feed)
            assert (caught.value.after, caught.value.oldest) == (cursor, oldest)


def test_f109_a_follower_that_is_too_slow_is_told_so(redis_url: str) -> None:
    with Client(redis_url, settings=Settings(feed=1)) as client:
        feed = client.follow()
        seen = client.enqueue("flow", 0).run_id
        assert next(feed).run_id == seen
        for number in range(PAGE):
            client.enqueue("flow", number)

        with pytest.raises(FeedExpiredError):
            next(feed)


@pytest.mark.parametrize("lost", ["newest", "all"])
def test_f109_a_feed_that_has_lost_its_end_is_an_error(
    client: Client, redis_client: redis.Redis, lost: str
) -> None:
    first, second = [client.enqueue("flow", number) for number in range(2)]
    feed = client.follow(after="0")
    entries = taken(feed, 2)
    assert [entry.run_id for entry in entries] == [first.run_id, second.run_id]

    if lost == "newest":
        redis_client.xdel(FEED, entries[1].cursor)
        client.enqueue("flow", 3)
    else:
        redis_client.delete(FEED)

    with pytest.raises(FeedRewoundError, match="look at the runs"):
        next(feed)


# -- when it is off -----------------------------------------------------------------------------


def test_i40_without_the_setting_there_is_no_key_and_no_field(redis_client: redis.Redis) -> None:
    with InMemoryWorker([flow]) as worker:
        run = worker.client.enqueue(flow, "ask")
        worker.work()
        run.resume("x")
        worker.work()

        assert not worker.client.connection.exists(FEED)
        assert worker.client.connection.hget(Keys().run(run.run_id), "feed") is None
        with pytest.raises(ConfigurationError, match="PENSTOCK_FEED"):
            worker.client.follow()


def test_a_reader_needs_no_setting_where_there_is_a_feed(client: Client, redis_url: str) -> None:
    run = client.enqueue("flow", 1)

    with Client(redis_url, settings=Settings()) as reader:
        assert next(reader.follow(after="0")).run_id == run.run_id


# -- encryption ---------------------------------------------------------------------------------


def test_tags_are_encrypted_and_a_filter_by_them_needs_the_key(redis_url: str) -> None:
    codec = EncryptedCodec({"k": os.urandom(32)})
    with (
        Client(redis_url, settings=KEPT, codec=codec) as client,
        Client(redis_url, settings=KEPT) as other,
    ):
        client.enqueue("flow", 1, tags={"tenant": "acme"})

        assert b"acme" not in repr(client.connection.xrange(FEED)).encode()
        assert next(client.follow(after="0", tag={"tenant": "acme"})).tags == {"tenant": "acme"}
        assert next(other.follow(after="0")).tags == {}
        feed = other.follow(after="0", tag={"tenant": "acme"})
        for _ in range(2):  # it does not go on behind what it cannot read
            with pytest.raises(EncryptionError):
                next(feed)
        assert feed.cursor == "0-0"


# -- asyncio ------------------------------------------------------------------------------------


def test_asyncio_code_follows_and_a_wait_may_be_cancelled(redis_url: str) -> None:
    async def main() -> None:
        async with AsyncClient(redis_url, settings=KEPT) as client:
            feed = client.follow()
            assert feed.cursor is None
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await anext(feed)
            runs = [(await client.enqueue("flow", number)).run_id for number in range(3)]

            assert [(await anext(feed)).run_id for _ in range(2)] == runs[:2]
            rest = client.follow(after=feed.cursor, status=RunStatus.QUEUED)
            assert (await anext(rest)).run_id == (await anext(feed)).run_id == runs[2]

    asyncio.run(main())
