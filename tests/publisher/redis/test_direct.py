"""The client that keeps its connections: what redis-py's pool looks after must stay true."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
import redis
from redis import Connection, ConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, ResponseError, TimeoutError
from redis.retry import Retry

from penstock.publisher.redis import direct
from penstock.publisher.redis.connection import connect
from penstock.publisher.redis.direct import DirectRedis
from tests.support.server import RedisServer


@pytest.fixture
def lender(redis_url: str) -> Iterator[redis.Redis]:
    with connect(redis_url) as lender:
        yield lender


@pytest.fixture
def client(lender: redis.Redis) -> DirectRedis:
    return DirectRedis(lender)


def who(client: redis.Redis) -> int:
    return client.client_id()


def test_commands_share_a_connection(client: DirectRedis) -> None:
    assert who(client) == who(client)


def test_each_thread_that_is_waiting_has_a_connection_of_its_own(client: DirectRedis) -> None:
    answers: dict[int, object] = {}

    def ask(number: int) -> None:
        for _ in range(200):
            answers[number] = client.echo(str(number))
            assert answers[number] == str(number).encode()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == {number: str(number).encode() for number in range(8)}


def test_a_refusal_leaves_the_connection_as_it_is(client: DirectRedis) -> None:
    before = who(client)
    client.set("text", "x")

    with pytest.raises(ResponseError):
        client.incr("text")

    assert who(client) == before


def test_a_late_reply_is_not_taken_for_that_of_the_next_command(redis_url: str) -> None:
    client = DirectRedis(connect(redis_url, timeout=0.1))

    with pytest.raises(TimeoutError):
        client.execute_command("BLPOP", "nothing", 1)

    assert client.echo("mine") == b"mine"


class Interrupted(Connection):
    """Lets the user press Ctrl-C before the first reply is read."""

    pressed = False

    def read_response(self, *args: Any, **options: Any) -> Any:
        if Interrupted.pressed:
            Interrupted.pressed = False
            raise KeyboardInterrupt
        return cast(Any, super()).read_response(*args, **options)


def test_a_command_that_is_broken_off_leaves_no_reply_behind(redis_url: str) -> None:
    pool = ConnectionPool.from_url(redis_url, connection_class=Interrupted)
    client = DirectRedis(redis.Redis.from_pool(pool))
    client.ping()
    Interrupted.pressed = True

    with pytest.raises(KeyboardInterrupt):
        client.echo("his")

    assert client.echo("mine") == b"mine"


def test_a_connection_that_breaks_shows_once(
    client: DirectRedis, redis_client: redis.Redis
) -> None:
    redis_client.client_kill_filter(_id=str(who(client)))

    with pytest.raises(ConnectionError):
        client.ping()

    assert client.ping()


def test_one_that_broke_while_nobody_used_it_does_not_show(
    client: DirectRedis, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = who(client)
    redis_client.client_kill_filter(_id=str(broken))
    monkeypatch.setattr(direct, "KEPT", 0.0)

    assert who(client) != broken


def test_a_forked_process_connects_anew(client: DirectRedis) -> None:
    mine = who(client)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, str(who(client)).encode())
        os._exit(0)
    os.waitpid(child, 0)

    assert int(os.read(reader, 100)) != mine
    assert who(client) == mine


def test_what_is_closed_gives_its_connections_back(
    client: DirectRedis, lender: redis.Redis
) -> None:
    lent = who(client)
    assert who(lender) != lent

    client.close()

    assert lent in (who(lender), who(client))


def test_where_one_is_broken_the_others_are_looked_at_before_they_are_used(
    client: DirectRedis, redis_client: redis.Redis
) -> None:
    met = threading.Barrier(4)
    failed: list[Exception] = []

    def ask() -> None:
        met.wait()
        try:
            client.execute_command("BLPOP", "nothing", 0.2)
        except ConnectionError as error:
            failed.append(error)

    def four_at_once() -> None:
        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    four_at_once()
    redis_client.client_kill_filter(_type="normal", skipme=True)
    with pytest.raises(ConnectionError):
        client.ping()

    four_at_once()

    assert failed == []


class Moving(Connection):
    """Asks where the primary is each time it connects, as Sentinel's connections do."""

    port_now = 0

    def connect(self) -> None:
        if not self._sock:
            self.port = Moving.port_now
        cast(Any, super()).connect()


def test_after_a_failover_the_next_command_reaches_the_new_primary(
    start_redis: Callable[..., RedisServer],
) -> None:
    old, new = start_redis(), start_redis()
    Moving.port_now = old.port
    pool = ConnectionPool(connection_class=Moving, port=old.port, retry=Retry(NoBackoff(), 0))
    client = DirectRedis(redis.Redis.from_pool(pool))
    client.set("where", "old")
    new.client().set("where", "new")

    old.kill()
    Moving.port_now = new.port

    with pytest.raises(ConnectionError):
        client.get("where")
    assert client.get("where") == b"new"
