from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import cast

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support.proxy import Proxy
from tests.support.server import RedisServer
from tests.support.until import until


@pytest.fixture
def proxy(redis_url: str, redis_server: RedisServer) -> Iterator[Proxy]:
    with Proxy(redis_server.port) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: Proxy) -> Iterator[redis.Redis]:
    with _connect(proxy) as client:
        yield client


def _connect(proxy: Proxy, protocol: int = 3) -> redis.Redis:
    # A busy machine may hold up a first answer for some tenths of a second; a blackhole, for ever.
    return redis.Redis(
        port=proxy.port, protocol=protocol, socket_timeout=3.0, retry=Retry(NoBackoff(), 0)
    )


def test_everything_passes(client: redis.Redis) -> None:
    client.set("large", b"x" * 1_000_000)

    assert client.get("large") == b"x" * 1_000_000
    assert _incr_twice(client) == [1, 2]


def test_a_cut_breaks_what_is_connected_and_nothing_else(proxy: Proxy) -> None:
    with _connect(proxy).client() as client:  # one connection, which it does not look at before use
        client.ping()

        proxy.cut()

        with pytest.raises(redis.ConnectionError):
            client.ping()
        assert client.ping()


def test_refusing_breaks_new_connections_until_healed(proxy: Proxy, client: redis.Redis) -> None:
    proxy.refuse()

    for _ in range(2):
        with pytest.raises(redis.ConnectionError):
            client.ping()

    proxy.heal()
    assert client.ping()


def test_a_blackhole_answers_nothing_and_delivers_when_healed(
    proxy: Proxy, client: redis.Redis, redis_client: redis.Redis
) -> None:
    client.ping()
    proxy.blackhole()

    with pytest.raises(redis.TimeoutError):
        client.incr("n")
    assert redis_client.get("n") is None

    proxy.heal()
    until(lambda: redis_client.get("n") == b"1")


def test_a_blackhole_for_replies_lets_the_server_act(
    proxy: Proxy, client: redis.Redis, redis_client: redis.Redis
) -> None:
    client.ping()
    proxy.blackhole("replies")

    with pytest.raises(redis.TimeoutError):
        client.incr("n")

    assert redis_client.get("n") == b"1"


def test_a_delay_holds_up_each_reply(proxy: Proxy, client: redis.Redis) -> None:
    client.ping()
    proxy.delay(0.1)

    started = time.monotonic()
    client.ping()

    assert time.monotonic() - started >= 0.1


@pytest.mark.parametrize("protocol", [2, 3])
def test_a_lost_reply_leaves_the_command_done(
    proxy: Proxy, redis_client: redis.Redis, protocol: int
) -> None:
    with _connect(proxy, protocol) as client:
        client.ping()
        proxy.drop_reply(nth=2)

        assert client.incr("n") == 1
        with pytest.raises(redis.ConnectionError):
            client.incr("n")
        assert proxy.dropped.is_set()

        assert redis_client.get("n") == b"2"
        assert client.incr("n") == 3


def test_a_lost_reply_can_be_that_of_a_command(
    proxy: Proxy, client: redis.Redis, redis_client: redis.Redis
) -> None:
    proxy.drop_reply(nth=2, command="exec")

    assert _incr_twice(client) == [1, 2]
    with pytest.raises(redis.ConnectionError):
        _incr_twice(client)

    assert redis_client.get("n") == b"4"


@pytest.mark.parametrize("protocol", [2, 3])
def test_published_messages_are_no_replies(
    proxy: Proxy, redis_client: redis.Redis, protocol: int
) -> None:
    with _connect(proxy, protocol) as client, client.pubsub() as pubsub:
        pubsub.subscribe("channel")
        assert pubsub.get_message(timeout=1)
        proxy.drop_reply(command="get")

        redis_client.publish("channel", "hello")
        message = cast("dict[str, object]", pubsub.get_message(timeout=1))

        assert message["data"] == b"hello"
        assert not proxy.dropped.is_set()
        with pytest.raises(redis.ConnectionError):
            client.get("n")


def test_closing_ends_its_threads(redis_server: RedisServer) -> None:
    before = threading.active_count()
    with Proxy(redis_server.port) as proxy, _connect(proxy) as client:
        client.ping()

    until(lambda: threading.active_count() == before)


def _incr_twice(client: redis.Redis) -> list[int]:
    with client.pipeline() as pipeline:
        pipeline.incr("n")
        pipeline.incr("n")
        return cast("list[int]", pipeline.execute())
