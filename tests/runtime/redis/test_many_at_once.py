"""A thousand calls at once: each waits for a connection, none is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from penstock.runtime import (
    AsyncClient,
    Client,
    InMemoryCache,
    InMemorySaver,
    InMemoryStore,
    RedisCache,
    RedisSaver,
    RedisStore,
    entrypoint,
    task,
)
from tests.support.server import RedisServer

MANY = 1000


def in_threads(call: Callable[[int], Any], times: int = MANY) -> list[Any]:
    """What a call returns in so many threads at once."""
    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(call, range(times)))


async def together(call: Callable[[int], Any], times: int = MANY) -> list[Any]:
    return await asyncio.gather(*(call(number) for number in range(times)))


@pytest.fixture(params=["memory", "redis"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_store_serves_a_thousand_asyncio_tasks(kind: str, redis_url: str) -> None:
    async def main() -> None:
        async with InMemoryStore() if kind == "memory" else RedisStore(redis_url) as store:
            await together(lambda number: store.aput(("t",), str(number), {"n": number}))
            items = await together(lambda number: store.aget(("t",), str(number)))
            assert [item.value["n"] for item in items] == list(range(MANY))

    asyncio.run(main())


def test_a_store_serves_a_thousand_threads(kind: str, redis_url: str) -> None:
    with InMemoryStore() if kind == "memory" else RedisStore(redis_url) as store:
        store.put(("t",), "k", {"n": 1})
        found = in_threads(lambda _: store.search(("t",)))

    assert [len(items) for items in found] == [1] * MANY


def test_a_cache_serves_a_thousand_calls(kind: str, redis_url: str) -> None:
    cache = InMemoryCache() if kind == "memory" else RedisCache(redis_url)

    def keep_and_find(number: int) -> str:
        key = (("t",), str(number))
        cache.set({key: (str(number), 60.0)})
        return cache.get([key])[key]

    async def find(number: int) -> str:
        key = (("t",), str(number))
        return (await cache.aget([key]))[key]

    expected = [str(number) for number in range(MANY)]
    assert in_threads(keep_and_find) == expected
    assert asyncio.run(together(find)) == expected


@task
def double(x: int) -> int:
    return 2 * x


def test_a_saver_serves_a_thousand_runs(kind: str, redis_url: str) -> None:
    saver = InMemorySaver() if kind == "memory" else RedisSaver(redis_url)

    @entrypoint(checkpointer=saver)
    async def doubled(x: int) -> int:
        return await double(x)

    @entrypoint(checkpointer=saver)
    def redoubled(x: int) -> int:
        return double(double(x).result()).result()

    def config(number: int) -> Any:
        return {"configurable": {"thread_id": f"thread {number}"}}

    ran = asyncio.run(together(lambda number: doubled.ainvoke(number, config(number))))
    assert ran == [2 * number for number in range(MANY)]
    again = in_threads(lambda number: redoubled.invoke(number, config(number)), 300)
    assert again == [4 * number for number in range(300)]


@pytest.mark.open_runs
@pytest.mark.filterwarnings("ignore:no live worker has announced")
def test_clients_serve_a_thousand_calls(redis_server: RedisServer) -> None:
    redis_server.client().flushall()
    client = Client(redis_server.url)
    runs = in_threads(lambda number: client.enqueue("flow", 1, run_id=f"run-{number % 10}"))
    assert len({run.run_id for run in runs}) == 10

    async def main() -> None:
        async with AsyncClient(redis_server.url) as client:
            infos = await together(lambda number: client.runs(limit=1))
            assert [len(runs) for runs in infos] == [1] * MANY

    asyncio.run(main())
