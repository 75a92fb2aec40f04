"""What every subscription does, sync and async; see `following`."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, cast

import fakeredis
import pytest
import redis

from penstock.publisher.errors import (
    CodecError,
    ConfigurationError,
    CursorExpiredError,
    RedisUnavailableError,
)
from penstock.publisher.event import LARGE, TERMINAL, Event, texts
from penstock.publisher.publish import Publisher
from penstock.publisher.redis.connection import TIMEOUT
from penstock.publisher.redis.script import Call, load, run
from penstock.publisher.subscribe import subscribe
from tests.publisher.following import Follower, Kind, subscribers
from tests.support.proxy import Proxy
from tests.support.server import RedisServer
from tests.support.until import until

END = (TERMINAL, None)


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> Kind:
    chosen: Kind = request.param
    return chosen


@pytest.fixture
def publisher(redis_url: str) -> Iterator[Publisher]:
    with Publisher(redis_url) as publisher:
        yield publisher


@pytest.fixture
def proxy(redis_url: str, redis_server: RedisServer) -> Iterator[Proxy]:
    with Proxy(redis_server.port) as proxy:
        yield proxy


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test passes just because a silence makes the subscriber look again."""
    for name in ("subscribe", "hub"):
        monkeypatch.setattr(import_module(f"penstock.publisher.{name}"), "IDLE", 60.0)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, patient: None) -> None:
    """A silence is noticed after a moment, and so is a connection that does not answer."""
    for name in ("subscribe", "hub"):
        monkeypatch.setattr(import_module(f"penstock.publisher.{name}"), "IDLE", 0.1)
    for name in ("subscribe", "redis.connection"):
        monkeypatch.setattr(import_module(f"penstock.publisher.{name}"), "TIMEOUT", 0.5)


def numbered(first: int, last: int) -> list[tuple[str, Any]]:
    return [("custom", n) for n in range(first, last + 1)]


def test_f48_one_that_comes_late_gets_all(kind: Kind, redis_url: str, publisher: Publisher) -> None:
    publisher.publish("r", [*numbered(1, 1200), END])

    follower = Follower(kind, redis_url, "r")

    assert follower.seqs() == list(range(1, 1202))
    assert [event.data for event in follower.events[:-1]] == list(range(1, 1201))


def test_f48_one_that_comes_before_the_run_waits_for_it(
    kind: Kind, redis_url: str, redis_client: redis.Redis, publisher: Publisher
) -> None:
    follower = Follower(kind, redis_url, "r")
    until(lambda: subscribers(redis_client, "r"))

    for n in range(1, 100):
        publisher.publish("r", [("custom", n)])
    publisher.publish("r", [END])

    assert follower.seqs() == list(range(1, 101))


def test_f48_one_that_comes_in_the_middle_misses_nothing(
    kind: Kind, redis_url: str, publisher: Publisher
) -> None:
    followers: list[Follower] = []
    for n in range(1, 400):
        publisher.publish("r", [("custom", n)])
        if n % 40 == 0:
            followers.append(Follower(kind, redis_url, "r"))
    publisher.publish("r", [END])

    for follower in followers:
        assert follower.seqs() == list(range(1, 401))


def test_a_cursor_is_where_to_go_on(kind: Kind, redis_url: str, publisher: Publisher) -> None:
    publisher.publish("r", numbered(1, 20))

    follower = Follower(kind, redis_url, "r", after=17).seen(3)
    publisher.publish("r", [END])

    assert follower.seqs() == [18, 19, 20, 21]


def test_a_terminal_event_is_the_end_only_where_nothing_follows(
    kind: Kind, redis_url: str, redis_client: redis.Redis, publisher: Publisher
) -> None:
    waiting = Follower(kind, redis_url, "r")
    until(lambda: subscribers(redis_client, "r"))

    publisher.publish("r", [("custom", 1), END])

    assert waiting.seqs() == [1, 2]
    assert Follower(kind, redis_url, "r", after=2).seqs() == []

    publisher.publish("r", [("custom", 3), END])

    assert Follower(kind, redis_url, "r").seqs() == [1, 2, 3, 4]
    assert Follower(kind, redis_url, "r", after=2).seqs() == [3, 4]
    until(lambda: not subscribers(redis_client, "r"))


def test_f49_each_event_comes_once_while_its_connection_is_killed_at_random(
    kind: Kind, redis_url: str, redis_client: redis.Redis, publisher: Publisher
) -> None:
    chance = random.Random(kind)
    follower = Follower(kind, redis_url, "r")
    until(lambda: subscribers(redis_client, "r"))

    killed = 0
    for n in range(1, 5001):
        publisher.publish("r", [("custom", n)])
        if chance.random() < 0.01:
            killed += redis_client.client_kill_filter(_type="pubsub")
    publisher.publish("r", [END])

    assert follower.seqs() == list(range(1, 5002))
    assert killed > 5


def test_f49_each_event_comes_once_while_all_its_connections_are_cut(
    kind: Kind, proxy: Proxy, publisher: Publisher
) -> None:
    chance = random.Random(kind)
    follower = Follower(kind, proxy.url, "r")

    for first in range(1, 3000, 10):
        publisher.publish("r", numbered(first, first + 9))
        if chance.random() < 0.1:
            proxy.cut()
    publisher.publish("r", [END])

    assert follower.seqs() == list(range(1, 3002))


def test_what_is_published_while_it_is_away_is_read_when_it_is_back(
    kind: Kind, proxy: Proxy, publisher: Publisher
) -> None:
    publisher.publish("r", numbered(1, 1))
    follower = Follower(kind, proxy.url, "r").seen(1)

    proxy.refuse()
    publisher.publish("r", [("custom", 2), END])
    proxy.heal()

    assert follower.seqs() == [1, 2, 3]


def test_f51_a_subscriber_dropped_for_its_backlog_reads_what_it_missed(
    kind: Kind, start_redis: Callable[..., RedisServer]
) -> None:
    server = start_redis("--client-output-buffer-limit", "pubsub", "100kb", "0", "0")
    client, go_on = server.client(), threading.Event()
    follower = Follower(
        kind, server.url, "r", on_event=lambda event: event.seq > 1 or go_on.wait(10)
    )
    with Publisher(server.url) as publisher:
        until(lambda: subscribers(client, "r"))
        publisher.publish("r", [("custom", 1)])
        follower.seen(1)

        sent = 1
        while subscribers(client, "r"):  # until what the kernel buffers is full, too
            sent = publisher.publish("r", [("custom", "x" * 30_000)] * 20)
            assert sent < 4000
        publisher.publish("r", [END])
        go_on.set()

    assert follower.seqs() == list(range(1, sent + 2))


def test_a_server_that_restarts_is_waited_for(
    kind: Kind, start_redis: Callable[..., RedisServer]
) -> None:
    server = start_redis("--appendonly", "yes", "--appendfsync", "always")
    follower = Follower(kind, server.url, "r")
    with Publisher(server.url) as publisher:
        publisher.publish("r", numbered(1, 500))
        follower.seen(500)

        server.kill()
        server.start()
        publisher.publish("r", numbered(501, 1000))
        publisher.publish("r", [END])

    assert follower.seqs() == list(range(1, 1002))


def test_a_server_that_loads_its_data_is_not_asked_in_haste(
    redis_url: str,
    publisher: Publisher,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It confirms a SUBSCRIBE while it refuses to read: each try begins with a success."""
    publisher.publish("r", [*numbered(1, 10), END])
    left = list(range(5))
    plain = cast("Callable[..., Any]", redis.Redis.execute_command)

    def loading(client: redis.Redis, *command: Any, **options: Any) -> Any:
        if left:
            left.pop()
            raise redis.BusyLoadingError("Redis is loading the dataset in memory")
        return plain(client, *command, **options)

    monkeypatch.setattr(redis.Redis, "execute_command", loading)
    began = time.monotonic()
    with subscribe("r", connection=redis_url) as events:
        seqs = [event.seq for event in events]

    assert seqs == list(range(1, 12))
    assert time.monotonic() - began >= 0.5 * (0.04 + 0.08 + 0.16 + 0.32 + 0.64)
    told = [record for record in caplog.records if "trying again" in record.message]
    assert len(told) == 1


def test_large_events_arrive_like_others(
    kind: Kind, redis_url: str, redis_client: redis.Redis, publisher: Publisher
) -> None:
    follower = Follower(kind, redis_url, "r")
    until(lambda: subscribers(redis_client, "r"))

    sizes = [1, LARGE, 1, 3 * LARGE, 1_000_000, 1]
    for size in sizes:
        publisher.publish("r", [("custom", "x" * size)])
    publisher.publish("r", [END])

    assert follower.seqs() == list(range(1, 8))
    assert [len(event.data) for event in follower.events[:-1]] == sizes


def test_a_referred_outcome_is_there_live_and_late(
    kind: Kind, redis_url: str, redis_client: redis.Redis
) -> None:
    live = Follower(kind, redis_url, "r")
    until(lambda: subscribers(redis_client, "r"))

    outcomes = {"s:1": '{"~tuple":[1,2]}', "s:2": f'"{"x" * LARGE}"'}
    for ref, outcome in outcomes.items():
        redis_client.hset("penstock:checkpoints:r", ref, outcome)
    redis_client.expire("penstock:checkpoints:r", 60)
    pairs = [
        text
        for ref, outcome in outcomes.items()
        for text in texts("step.finished", '{"name":"f"}', ref=ref, outcome=outcome, time=0)
    ]
    pairs += texts(TERMINAL, "null", time=0)
    keys = ("penstock:events:r", "penstock:channel:r")
    run(
        redis_client,
        Call(load("penstock.publisher", "publish"), keys, ("op", 1, 0, 9999, 3, *pairs)),
    )

    assert live.seqs() == [1, 2, 3]
    late = Follower(kind, redis_url, "r")
    assert late.seqs() == [1, 2, 3]
    assert late.events == live.events
    assert live.events[0].data == {"name": "f", "outcome": (1, 2)}

    redis_client.delete("penstock:checkpoints:r")
    later = Follower(kind, redis_url, "r")
    assert later.seqs() == [1, 2, 3]
    assert later.events[0].data == {"name": "f"}


@pytest.mark.usefixtures("impatient")
def test_f50_a_message_lost_in_silence_is_found(
    kind: Kind, redis_url: str, redis_client: redis.Redis, publisher: Publisher
) -> None:
    publisher.publish("r", numbered(1, 1))
    follower = Follower(kind, redis_url, "r").seen(1)

    redis_client.rpush("penstock:events:r", f"2 {texts(TERMINAL, 'null', time=0)[0]}")

    assert follower.seqs() == [1, 2]


@pytest.mark.usefixtures("impatient")
def test_a_line_that_went_dead_is_replaced(
    kind: Kind, proxy: Proxy, redis_client: redis.Redis, publisher: Publisher
) -> None:
    publisher.publish("r", numbered(1, 1))
    follower = Follower(kind, proxy.url, "r").seen(1)
    until(lambda: subscribers(redis_client, "r"))

    (before,) = pubsub_clients(redis_client)
    proxy.blackhole("replies")
    until(lambda: before not in pubsub_clients(redis_client))
    publisher.publish("r", [("custom", 2), END])
    proxy.heal()

    assert follower.seqs() == [1, 2, 3]


def pubsub_clients(client: redis.Redis) -> set[str]:
    clients: Any = client.client_list(_type="pubsub")
    return {each["id"] for each in clients}


def test_events_that_are_no_longer_kept_are_not_skipped_in_silence(
    kind: Kind, redis_url: str, redis_client: redis.Redis, publisher: Publisher
) -> None:
    for each in numbered(1, 10):
        publisher.publish("r", [each])
    redis_client.ltrim("penstock:events:r", -3, -1)

    with pytest.raises(CursorExpiredError) as caught:
        Follower(kind, redis_url, "r", after=2).seqs()
    assert (caught.value.after, caught.value.oldest) == (2, 8)

    assert [event.seq for event in Follower(kind, redis_url, "r", after=7).seen(3).events] == [
        8,
        9,
        10,
    ]
    with pytest.raises(CursorExpiredError):
        Follower(kind, redis_url, "gone", after=1).seqs()


def test_f52_a_slow_subscriber_of_a_capped_stream_is_told_what_it_lost(
    kind: Kind, redis_url: str, redis_client: redis.Redis
) -> None:
    go_on = threading.Event()
    with Publisher(redis_url, keep=100) as publisher:
        publisher.publish("r", numbered(1, 1))
        follower = Follower(kind, redis_url, "r", on_event=lambda _: go_on.wait(10)).seen(1)
        redis_client.client_kill_filter(_type="pubsub")
        for _ in range(10):
            publisher.publish("r", numbered(1, 100))
    go_on.set()

    with pytest.raises(CursorExpiredError) as caught:
        follower.seqs()
    assert caught.value.oldest and caught.value.oldest > 700


def test_a_server_that_lost_events_is_not_taken_for_up_to_date(
    kind: Kind, redis_url: str, publisher: Publisher
) -> None:
    publisher.publish("r", numbered(1, 5))

    with pytest.raises(CursorExpiredError):
        Follower(kind, redis_url, "r", after=8).seqs()


def test_garbage_on_the_channel_changes_nothing(
    kind: Kind, redis_url: str, redis_client: redis.Redis, publisher: Publisher
) -> None:
    follower = Follower(kind, redis_url, "r")
    until(lambda: subscribers(redis_client, "r"))

    for garbage in (b"", b"\xff\xfe", b"1\n{", b"99\n{}", b"1\n[]", b"9" * 9999):
        redis_client.publish("penstock:channel:r", garbage)
    publisher.publish("r", [("custom", 1), END])

    assert follower.seqs() == [1, 2]


@pytest.mark.parametrize(
    ("item", "said"),
    [("1 garbage", "event 1 of run 'r'"), ("1", "event 1 of run 'r'"), ("garbage", "has no seq")],
)
def test_f46_garbage_in_the_list_is_an_error(
    kind: Kind, redis_url: str, redis_client: redis.Redis, item: str, said: str
) -> None:
    redis_client.rpush("penstock:events:r", item)
    redis_client.expire("penstock:events:r", 60)

    with pytest.raises(CodecError, match=said):
        Follower(kind, redis_url, "r").seqs()


def test_the_longest_wait_can_be_given(kind: Kind, redis_url: str, publisher: Publisher) -> None:
    publisher.publish("r", numbered(1, 1))

    with pytest.raises(TimeoutError, match=r"no event of run 'r' for 0\.2 s"):
        Follower(kind, redis_url, "r", timeout=0.2).seqs()


def test_a_server_that_stands_still_is_waited_for_no_longer_than_an_event(
    kind: Kind, start_redis: Callable[..., RedisServer]
) -> None:
    server = start_redis()
    server.pause()
    began = time.monotonic()

    with pytest.raises(TimeoutError, match=r"no event of run 'r' for 0\.2 s"):
        Follower(kind, server.url, "r", timeout=0.2).seqs()

    assert time.monotonic() - began < TIMEOUT


def test_waiting_for_a_server_costs_nothing(kind: Kind, proxy: Proxy) -> None:
    proxy.refuse()

    cpu, wall = time.process_time(), time.monotonic()
    with pytest.raises(TimeoutError):
        Follower(kind, proxy.url, "r", timeout=2).seqs()

    assert time.process_time() - cpu < 0.05 * (time.monotonic() - wall)


def test_a_wrong_password_is_not_waited_out(
    kind: Kind, start_redis: Callable[..., RedisServer]
) -> None:
    server = start_redis()
    server.client().config_set("requirepass", "secret")

    with pytest.raises(RedisUnavailableError, match="refused"):
        Follower(kind, server.url, "r").seqs()


def test_f47_a_key_of_another_kind_is_named(
    kind: Kind, redis_url: str, redis_client: redis.Redis
) -> None:
    redis_client.set("penstock:events:r", "text", ex=60)

    with pytest.raises(RedisUnavailableError, match="WRONGTYPE"):
        Follower(kind, redis_url, "r").seqs()


@pytest.mark.parametrize("protocol", [2, 3])
def test_the_callers_client_is_not_used_or_changed(
    kind: Kind, redis_server: RedisServer, publisher: Publisher, protocol: int
) -> None:
    publisher.publish("r", [("custom", 1), END])
    with redis.Redis(port=redis_server.port, decode_responses=True, protocol=protocol) as given:
        assert Follower(kind, given, "r").seqs() == [1, 2]

        assert given.echo("ü") == "ü"


def test_leaving_the_block_leaves_no_connection(
    redis_url: str, redis_client: redis.Redis, publisher: Publisher
) -> None:
    redis_client.ping()
    publisher.publish("r", numbered(1, 10))
    before = len(redis_client.client_list())

    with subscribe("r", connection=redis_url) as events:
        assert next(events).seq == 1
    until(lambda: len(redis_client.client_list()) == before)

    with pytest.raises(StopIteration):
        next(events)


def test_a_wrong_cursor_is_refused_before_anything_is_opened() -> None:
    with pytest.raises(ConfigurationError), subscribe("r", after=-1):
        pass


def test_an_error_of_the_loops_body_is_its_own(redis_url: str, publisher: Publisher) -> None:
    publisher.publish("r", numbered(1, 2))

    with (
        pytest.raises(redis.ConnectionError, match="mine"),
        subscribe("r", connection=redis_url) as events,
    ):
        for _ in events:
            raise redis.ConnectionError("mine")


def test_it_works_on_a_server_in_memory() -> None:
    with fakeredis.FakeRedis() as client, Publisher(client) as publisher:
        publisher.publish("r", numbered(1, 3))
        seen: list[Event] = []

        with subscribe("r", connection=client, timeout=5) as events:
            for event in events:
                seen.append(event)
                if event.seq == 3:
                    publisher.publish("r", [("custom", 4), END])

    assert [event.seq for event in seen] == [1, 2, 3, 4, 5]
