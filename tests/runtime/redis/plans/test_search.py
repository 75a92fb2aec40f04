"""Runs are found by what is known of them, and counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
import redis

from penstock.publisher.redis.script import run as send
from penstock.runtime import AsyncClient, Client
from penstock.runtime.errors import ConfigurationError
from penstock.runtime.redis.plans.run_lists import HOUR
from penstock.runtime.redis.plans.search import SearchPlans
from penstock.runtime.settings import Settings
from penstock.runtime.types.run_filter import RunPage
from tests.faults.support.invariants import Checker
from tests.support.attempts import ask, end, take

pytestmark = [
    pytest.mark.filterwarnings("ignore:no live worker has announced"),
    pytest.mark.open_runs,
]

OLD = "old:" + "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="
NEW = "new:" + "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="


@pytest.fixture
def connect(redis_url: str) -> Iterator[Callable[..., Client]]:
    clients: list[Client] = []

    def connect(**settings: Any) -> Client:
        clients.append(Client(redis_url, settings=Settings(**settings)))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


@pytest.fixture
def client(connect: Callable[..., Client]) -> Client:
    return connect(index=("queue", "tag:tenant"))


@pytest.fixture
def checker(redis_client: redis.Redis) -> Checker:
    return Checker(redis_client)


def drop(raw: Any, pattern: str) -> None:
    for key in raw.scan_iter(pattern):
        raw.delete(key)


def ids(page: RunPage) -> list[str]:
    return [run.run_id for run in page]


def paged(client: Client, limit: int, **query: Any) -> list[str]:
    page = client.runs(limit=limit, **query)
    found = ids(page)
    while page.after:
        page = client.runs(limit=limit, after=page.after, **query)
        found += ids(page)
    return found


def test_runs_are_found_by_each_filter_the_newest_first(client: Client, checker: Checker) -> None:
    for number in range(4):
        client.enqueue(
            "even" if number % 2 == 0 else "odd",
            number,
            run_id=f"r{number}",
            queue="far" if number == 3 else None,
            thread_id="t" if number < 2 else None,
            tags={"tenant": f"t{number // 2}", "number": str(number)},
        )
    end(client, "r2")
    time.sleep(0.002)
    end(client, "r3", "failed")
    checker.check()

    assert ids(client.runs()) == ["r1", "r0", "r3", "r2"]
    assert ids(client.runs("queued")) == ["r1", "r0"]
    assert ids(client.runs(["completed", "queued"])) == ["r1", "r0", "r2"]
    assert ids(client.runs(entrypoint="odd")) == ["r1", "r3"]
    assert ids(client.runs("failed", entrypoint="even")) == []
    assert ids(client.runs(queue="far")) == ["r3"]
    assert ids(client.runs(tag={"tenant": "t1"})) == ["r3", "r2"]
    assert ids(client.runs(tag={"number": "1"})) == ["r1"]
    assert ids(client.runs(tag={"tenant": "t1", "number": "1"})) == []
    assert ids(client.runs(thread="t")) == ["r1", "r0"]
    assert ids(client.runs(thread="r2")) == ["r2"]
    assert ids(client.runs(thread="nobody")) == []
    assert client.get("r3").info().tags == {"tenant": "t1", "number": "3"}
    assert client.count() == 4
    assert client.count(entrypoint="odd", tag={"tenant": "t1"}) == 1
    assert client.counts() == {"queued": 2, "completed": 1, "failed": 1}
    assert client.counts(entrypoint="odd") == {"queued": 1, "failed": 1}
    assert client.counts("entrypoint") == {"even": 2, "odd": 2}
    assert client.counts("tag:tenant", status="queued") == {"t0": 2}


def test_pages_neither_repeat_nor_leave_out_runs(client: Client, checker: Checker) -> None:
    names = [f"r{number:02}" for number in range(40)]
    for number, name in enumerate(names):
        client.enqueue("main", number, run_id=name)
    for number, name in enumerate(names[10:]):
        end(client, name, "failed" if number % 3 else "completed")
        time.sleep(0.001)  # two that end in one millisecond have no order
    for name in names[:3]:
        ask(client, name)
    checker.check()
    expected = names[:10][::-1] + names[10:][::-1]

    for limit in (1, 3, 7, 40, 100):
        assert paged(client, limit) == expected
        assert paged(client, limit, entrypoint="main") == expected
        assert paged(client, limit, status="suspended") == names[2::-1]
        assert paged(client, limit, status=["failed", "completed"]) == expected[10:]
    page = client.runs(["failed", "completed"], 5)
    more = client.enqueue("main", 0).run_id
    end(client, more)
    assert ids(client.runs(["failed", "completed"], 5, after=page.after)) == expected[15:20]


def test_runs_created_in_the_same_millisecond_are_on_one_page_each(
    client: Client, redis_client: redis.Redis
) -> None:
    names = sorted((client.enqueue("main", number).run_id for number in range(30)), reverse=True)
    for name in names:
        redis_client.hset(f"penstock:run:{name}", "created", 5)
        redis_client.zadd("penstock:open:all", {name: 5})

    assert paged(client, 4) == names


def test_runs_of_other_hours_are_found_by_time(client: Client, redis_client: redis.Redis) -> None:
    for number in range(6):
        client.enqueue("main", number, run_id=f"r{number}")
        end(client, f"r{number}")
    now = int(datetime.now(UTC).timestamp() * 1000)
    drop(redis_client, "penstock:over:*")
    for number in range(6):  # one each hour
        time = now - number * HOUR
        name = f"{time // HOUR}:completed:{now // HOUR + 24}"
        redis_client.zadd("penstock:over:all", {name: 0})
        redis_client.rpush(f"penstock:over:{name}:all", f"{time % HOUR:06x}r{number}")
        redis_client.hset(f"penstock:run:r{number}", "finished", time)

    assert paged(client, 2) == [f"r{number}" for number in range(6)]
    assert paged(client, 2, since=timedelta(hours=2, minutes=30)) == ["r0", "r1", "r2"]
    assert paged(client, 2, until=timedelta(hours=2, minutes=30)) == ["r3", "r4", "r5"]
    since, until = timedelta(hours=3, minutes=30), timedelta(minutes=30)
    assert paged(client, 1, since=since, until=until) == ["r1", "r2", "r3"]
    assert client.count(since=since, until=until) == 3
    with pytest.raises(ConfigurationError, match="without a zone"):
        client.runs(since=datetime(2026, 1, 1))


def test_a_run_that_goes_on_or_is_deleted_is_found_once_and_counted_once(
    client: Client, checker: Checker
) -> None:
    client.enqueue("main", 1, run_id="r", tags={"tenant": "a"})
    end(client, "r", "failed")

    client.get("r").resume()

    checker.check()
    assert ids(client.runs()) == ids(client.runs("queued")) == ["r"]
    assert client.counts() == {"queued": 1}
    end(client, "r")
    checker.check()
    assert client.counts(tag={"tenant": "a"}) == {"completed": 1}
    client.thread("r").delete()
    assert client.count() == 0
    assert client.runs() == []


def test_a_run_that_ends_as_it_is_looked_for_is_on_a_page_once(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.enqueue("main", 1, run_id="r")
    plain: Callable[..., Generator[Any, Any, Any]] = vars(SearchPlans)["_read"]

    def read(plans: SearchPlans, entries: Any) -> Generator[Any, Any, Any]:
        runs = yield from plain(plans, entries)
        client.get("r").cancel()  # after the open ones were read, before those that are over are
        return runs

    monkeypatch.setattr(SearchPlans, "_read", read)

    assert ids(client.runs()) == ["r"]


def test_f107_open_runs_are_listed_again_whose_lists_are_gone(
    client: Client, checker: Checker, redis_client: redis.Redis
) -> None:
    for name in ("queued", "asking", "running"):
        client.enqueue("main", 1, run_id=name, tags={"tenant": "a"})
    ask(client, "asking")
    take(client, "running")
    end(client, client.enqueue("main", 1).run_id)
    redis_client.delete("penstock:open:all", "penstock:open:entrypoint:main")
    drop(redis_client, "penstock:open:tag*")
    drop(redis_client, "penstock:over:*")

    assert client.runs() == []
    deadline = datetime.now(UTC) + timedelta(seconds=10)
    while client.count() < 3 and datetime.now(UTC) < deadline:  # each second looks elsewhere
        send(client.connection, client.plans.calls.recover(3, 60))

    assert sorted(ids(client.runs(tag={"tenant": "a"}))) == ["asking", "queued", "running"]
    end(client, "queued")
    assert ids(client.runs("completed")) == ["queued"]


def test_f107_a_run_whose_hash_is_gone_is_listed_under_no_facet(
    client: Client, redis_client: redis.Redis
) -> None:
    for name in ("gone", "there"):
        client.enqueue("main", 1, run_id=name, queue="q", tags={"tenant": "a"})
    redis_client.delete("penstock:run:gone")
    facets = [key.decode() for key in cast("Any", redis_client.keys("penstock:open:*"))]
    assert len(facets) == 4
    assert all(redis_client.zcard(facet) == 2 for facet in facets)

    deadline = datetime.now(UTC) + timedelta(seconds=10)
    while any(redis_client.zcard(facet) == 2 for facet in facets):
        assert datetime.now(UTC) < deadline
        send(client.connection, client.plans.calls.recover(3, 60))

    assert client.count(queue="q") == client.count(tag={"tenant": "a"}) == 1


def test_tags_are_sealed_and_found_under_each_key(
    connect: Callable[..., Client], redis_client: Any
) -> None:
    index = ("tag:tenant",)
    old = connect(encryption_keys=OLD, index=index)
    both = connect(encryption_keys=f"{NEW},{OLD}", index=index)
    old.enqueue("main", 1, run_id="one", tags={"tenant": "secret"})
    both.enqueue("main", 1, run_id="two", tags={"tenant": "secret"})

    assert ids(both.runs(tag={"tenant": "secret"})) == ["two", "one"]
    assert paged(both, 1, tag={"tenant": "secret"}) == ["two", "one"]
    assert ids(old.runs(tag={"tenant": "secret"})) == ["one"]
    assert connect().get("one").info().tags == {}
    assert both.get("one").info().tags == {"tenant": "secret"}
    for key in redis_client.scan_iter():
        assert b"secret" not in key
        assert b"secret" not in (redis_client.dump(key) or b"")


def test_async_code_finds_the_same(client: Client, redis_url: str) -> None:
    client.enqueue("main", 1, run_id="r", tags={"tenant": "a"})

    async def look() -> tuple[list[str], int, dict[str, int]]:
        async with AsyncClient(redis_url) as other:
            await other.enqueue("main", 2, run_id="s", tags={"tenant": "b"})
            page = await other.runs(tag={"tenant": "a"})
            return ids(page), await other.count(), await other.counts("tag:tenant")

    assert asyncio.run(look()) == (["r"], 2, {"b": 1, "a": 1})


@pytest.mark.parametrize(
    "tags",
    [
        {str(number): "v" for number in range(17)},
        {"": "v"},
        {"k": ""},
        {"k" * 65: "v"},
        {"k": "v" * 257},
        {"k": 1},
        {1: "v"},
        "no",
        {"k": "\ud800"},
    ],
)
def test_tags_that_cannot_be_used_are_refused(client: Client, tags: Any) -> None:
    with pytest.raises(ConfigurationError, match="tag"):
        client.enqueue("main", 1, tags=tags)
    assert client.count() == 0


def test_an_index_or_a_cursor_that_cannot_be_used_is_refused(
    connect: Callable[..., Client], client: Client
) -> None:
    with pytest.raises(ConfigurationError, match="tag:<key>"):
        connect(index=("thread",))
    for cursor in ("", "x", "!", "e30", "WyJhbGwiLDAsNV0", "WyJvdGhlciIsMCxudWxsXQ"):
        with pytest.raises(ConfigurationError, match="cursor"):
            client.runs(after=cursor)
    with pytest.raises(ConfigurationError, match="counted by"):
        client.counts("colour")
