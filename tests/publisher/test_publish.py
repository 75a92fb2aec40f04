from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, cast

import pytest
import redis
from redis.asyncio import Redis as AsyncRedis

from penstock.publisher import publish
from penstock.publisher.errors import CodecError, ConfigurationError, RedisUnavailableError
from penstock.publisher.event import LARGE
from penstock.publisher.publish import AsyncPublisher, Publisher
from penstock.publisher.redis.script import Call, load, run
from tests.support.events import stored_events
from tests.support.proxy import Proxy
from tests.support.server import RedisServer

EVENTS = "penstock:events:r"


@pytest.fixture
def publisher(redis_url: str) -> Iterator[Publisher]:
    with Publisher(redis_url) as publisher:
        yield publisher


@pytest.fixture
def proxy(redis_url: str, redis_server: RedisServer) -> Iterator[Proxy]:
    with Proxy(redis_server.port) as proxy:
        yield proxy


def stored(client: redis.Redis) -> list[tuple[int, Any]]:
    return [(seq, json.loads(text)["data"]) for seq, text in stored_events(client, EVENTS)]


def test_events_are_numbered_from_one(publisher: Publisher, redis_client: redis.Redis) -> None:
    assert publisher.publish("r", [("custom", "a"), ("custom", "b")]) == 2
    assert publisher.publish("r", [("custom", "c")]) == 3

    assert stored(redis_client) == [(1, "a"), (2, "b"), (3, "c")]


def test_they_are_published_in_frames(publisher: Publisher, redis_client: redis.Redis) -> None:
    with redis_client.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe("penstock:channel:r")
        pubsub.get_message(timeout=1)

        publisher.publish("r", [("custom", 1), ("custom", "x" * LARGE), ("custom", 3)])
        message = cast(Any, pubsub.get_message(timeout=1))

    first, *lines = message["data"].split(b"\n")
    assert first == b"1"
    assert [line if line == b"*" else json.loads(line)["data"] for line in lines] == [1, b"*", 3]


def test_frames_are_of_bounded_size(publisher: Publisher, redis_client: redis.Redis) -> None:
    with redis_client.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe("penstock:channel:r")
        pubsub.get_message(timeout=1)

        publisher.publish("r", [("custom", "x" * 50_000)] * 12)
        messages: list[Any] = []
        while (message := cast(object, pubsub.get_message(timeout=0.2))) is not None:
            messages.append(message)

    frames: list[bytes] = [message["data"] for message in messages]

    assert [int(frame.partition(b"\n")[0]) for frame in frames] == [1, 6, 11]
    assert max(map(len, frames)) < 300_000


def test_a_whole_event_can_be_passed_on(publisher: Publisher, redis_client: redis.Redis) -> None:
    publisher.publish("r", [("custom", {"n": (1, 2)})], namespace=("a:0",), thread_id="t")

    ((_, text),) = stored_events(redis_client, EVENTS)
    line = json.loads(text)
    assert (line["mode"], line["ns"], line["thread"]) == ("custom", ["a:0"], "t")


def test_a_call_whose_reply_was_lost_appends_once(
    proxy: Proxy, redis_client: redis.Redis, publisher: Publisher
) -> None:
    publisher.publish("r", [("custom", "before")])
    proxy.drop_reply(command="evalsha")

    with Publisher(proxy.url) as cut:
        assert cut.publish("r", [("custom", "a"), ("custom", "b")]) == 3

    assert proxy.dropped.is_set()
    assert [data for _, data in stored(redis_client)] == ["before", "a", "b"]


@pytest.mark.parametrize("others", [0, 1, 250])
def test_a_call_that_looks_back_finds_its_first_sending(
    redis_client: redis.Redis, publisher: Publisher, others: int
) -> None:
    def call(look: int) -> Call:
        return Call(
            load("penstock.publisher", "publish"),
            (EVENTS, "penstock:channel:r"),
            ("op-1", look, 0, 60_000, 1, '{"mode":"custom","data":"a","op":"op-1","time":0}', ""),
        )

    assert run(redis_client, call(1)) == 1
    for n in range(others):
        publisher.publish("r", [("custom", n)])

    assert run(redis_client, call(10_000)) == 1
    assert redis_client.llen(EVENTS) == 1 + others


def test_publishers_at_the_same_time_leave_no_gap(
    redis_url: str, redis_client: redis.Redis
) -> None:
    def work() -> None:
        with Publisher(redis_url) as publisher:
            for _ in range(50):
                publisher.publish("r", [("custom", 1), ("custom", 2)])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [seq for seq, _ in stored(redis_client)] == list(range(1, 401))


def test_a_stream_expires_a_time_after_its_last_event(
    redis_url: str, redis_client: redis.Redis
) -> None:
    with Publisher(redis_url, ttl=timedelta(minutes=1)) as publisher:
        publisher.publish("r", [("custom", 1)])
        redis_client.expire(EVENTS, 5)
        publisher.publish("r", [("custom", 2)])

    assert 55 <= redis_client.ttl(EVENTS) <= 60


@pytest.mark.open_runs
def test_the_stream_of_an_open_run_does_not_begin_to_expire(
    publisher: Publisher, redis_client: redis.Redis
) -> None:
    redis_client.rpush(EVENTS, '1 {"mode":"run.queued","data":null,"time":0}')

    publisher.publish("r", [("custom", 1)])

    assert redis_client.ttl(EVENTS) == -1


def test_a_longer_retention_is_not_cut_short(redis_url: str, redis_client: redis.Redis) -> None:
    with Publisher(redis_url, ttl=1000) as publisher:
        publisher.publish("r", [("custom", 1)])
    with Publisher(redis_url, ttl=10) as publisher:
        publisher.publish("r", [("custom", 2)])

    assert redis_client.ttl(EVENTS) > 900


def test_no_more_events_are_kept_than_asked_for(redis_url: str, redis_client: redis.Redis) -> None:
    with Publisher(redis_url, keep=100) as publisher:
        for _ in range(20):
            publisher.publish("r", [("custom", "x")] * 50)

    assert 100 <= redis_client.llen(EVENTS) <= 250
    assert stored(redis_client)[-1][0] == 1000


def test_no_events_change_nothing(publisher: Publisher, redis_client: redis.Redis) -> None:
    assert publisher.publish("r", []) == 0
    publisher.publish("r", [("custom", 1)])
    assert publisher.publish("r", []) == 1

    assert redis_client.llen(EVENTS) == 1


def test_a_value_that_cannot_be_written_publishes_nothing(
    publisher: Publisher, redis_client: redis.Redis
) -> None:
    with pytest.raises(CodecError, match="event 'custom' of run 'r'"):
        publisher.publish("r", [("custom", 1), ("custom", object())])

    assert redis_client.exists(EVENTS) == 0


def test_publishing_waits_for_a_server_that_comes_back(proxy: Proxy) -> None:
    proxy.refuse()
    threading.Timer(0.3, proxy.heal).start()

    with Publisher(proxy.url) as publisher:
        assert publisher.publish("r", [("custom", 1)]) == 1


def test_publishing_gives_up_in_the_end(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "PATIENCE", 0.1)
    proxy.refuse()

    with (
        Publisher(proxy.url) as publisher,
        pytest.raises(RedisUnavailableError, match="publishing to 'r': no answer"),
    ):
        publisher.publish("r", [("custom", 1)])


def test_a_refusal_is_reported_at_once(publisher: Publisher, redis_client: redis.Redis) -> None:
    redis_client.set(EVENTS, "no stream", ex=60)

    with pytest.raises(RedisUnavailableError, match=r"refused publishing to 'r': .*WRONGTYPE"):
        publisher.publish("r", [("custom", 1)])


@pytest.mark.parametrize("options", [{"keep": -1}, {"ttl": -1}])
def test_limits_are_not_negative(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="keep and ttl"):
        Publisher("redis://localhost", **options)


def test_an_event_loop_has_its_own_publisher(proxy: Proxy, redis_client: redis.Redis) -> None:
    proxy.drop_reply(command="evalsha")

    async def main() -> int:
        async with AsyncRedis.from_url(proxy.url) as given, AsyncPublisher(given) as publisher:
            return await publisher.publish("r", [("custom", 1), ("custom", 2)])

    assert asyncio.run(main()) == 2
    assert stored(redis_client) == [(1, 1), (2, 2)]
