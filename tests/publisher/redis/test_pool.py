"""Pools in which calls wait for a connection: none is lost, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Any

import pytest
import redis
from redis import asyncio as aredis
from redis.exceptions import ConnectionError

from penstock.publisher.redis import pool as pools
from penstock.publisher.redis.connection import aconnect, connect
from penstock.publisher.redis.direct import AT_ONCE, DirectRedis
from penstock.publisher.redis.pool import MOST, AsyncPool, Pool
from tests.support.server import RedisServer


def small(redis_url: str, connections: int) -> redis.Redis:
    return redis.Redis.from_pool(Pool.from_url(redis_url, max_connections=connections))


async def echo(client: aredis.Redis, text: str) -> Any:
    return await client.echo(text)


def test_a_thread_waits_for_the_connection_of_another(redis_url: str) -> None:
    client = small(redis_url, 1)
    held = client.connection_pool.get_connection()
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.append(client.ping()), daemon=True)
        for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    threads[0].join(0.1)
    assert answers == []

    client.connection_pool.release(held)
    for thread in threads:
        thread.join(10)

    assert answers == [True] * 5


def test_an_asyncio_task_waits_for_the_connection_of_another(redis_url: str) -> None:
    async def main() -> None:
        pool = AsyncPool.from_url(redis_url, max_connections=2)
        async with aredis.Redis.from_pool(pool) as client:
            held = [await pool.get_connection() for _ in range(2)]
            waiting = [asyncio.create_task(echo(client, str(number))) for number in range(20)]
            done, _ = await asyncio.wait(waiting, timeout=0.05)
            assert not done
            for connection in held:
                await pool.release(connection)
            assert await asyncio.gather(*waiting) == [str(n).encode() for n in range(20)]

    asyncio.run(main())


def test_a_task_that_is_cancelled_while_it_waits_gives_its_turn_to_the_next(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "_LOOK", 60.0)

    async def main() -> None:
        pool = AsyncPool.from_url(redis_url, max_connections=1)
        async with aredis.Redis.from_pool(pool) as client:
            held = await pool.get_connection()
            first, second = (asyncio.create_task(echo(client, text)) for text in ("one", "two"))
            await asyncio.sleep(0.05)
            await pool.release(held)  # it is the turn of the first, which has not run since
            first.cancel()
            assert await asyncio.wait_for(second, 10) == b"two"
            assert (await asyncio.gather(first, return_exceptions=True))[0] is not None
            assert await client.ping()

    asyncio.run(main())


def test_what_a_wait_ends_with_is_the_error_of_the_connection(
    start_redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server: RedisServer = start_redis()
    client = small(server.url, 1)
    held = client.connection_pool.get_connection()
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            client.ping()
        except ConnectionError as error:
            errors.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    server.kill()
    held.disconnect()
    client.connection_pool.release(held)
    thread.join(10)

    assert len(errors) == 1
    assert "Too many" not in str(errors[0])


def test_a_forked_process_has_all_connections_to_itself(redis_url: str) -> None:
    client = small(redis_url, 1)
    client.connection_pool.get_connection()  # which stays with the parent

    child = os.fork()
    if child == 0:
        os._exit(0 if client.ping() else 1)

    assert os.waitpid(child, 0)[1] == 0


def test_a_direct_client_leaves_connections_to_those_that_share_its_pool(redis_url: str) -> None:
    with connect(redis_url) as lender:
        client = DirectRedis(lender)
        barrier = threading.Barrier(2 * MOST)
        answers: list[Any] = []

        def ask() -> None:
            barrier.wait()
            client.execute_command("BLPOP", "nothing", "0.05")
            answers.append(lender.ping())

        threads = [threading.Thread(target=ask, daemon=True) for _ in range(2 * MOST)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

        assert answers == [True] * (2 * MOST)
        assert len(client._kept) <= AT_ONCE  # pyright: ignore[reportPrivateUsage]
        client.close()


def test_a_direct_client_of_a_forked_process_waits_for_no_thread_of_its_parent(
    redis_url: str,
) -> None:
    with connect(redis_url) as lender:
        client = DirectRedis(lender)
        threads = [
            threading.Thread(target=client.execute_command, args=("BLPOP", "nothing", "1"))
            for _ in range(AT_ONCE)
        ]
        for thread in threads:
            thread.start()
        with connect(redis_url) as watcher:
            while watcher.info("clients")["blocked_clients"] < AT_ONCE:
                pass
        child = os.fork()
        if child == 0:
            os._exit(0 if client.ping() else 1)
        assert os.waitpid(child, 0)[1] == 0
        for thread in threads:
            thread.join()
        client.close()


def test_the_clients_that_are_made_wait(redis_url: str) -> None:
    with connect(redis_url) as client:
        assert isinstance(client.connection_pool, Pool)
        assert client.connection_pool.max_connections == MOST
    client = aconnect(redis_url)
    assert isinstance(client.connection_pool, AsyncPool)
    assert client.connection_pool.max_connections == MOST
