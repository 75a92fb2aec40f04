from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest
import redis
from langgraph.cache.memory import InMemoryCache
from langgraph.graph import START, StateGraph
from langgraph.types import CachePolicy

from penstock.langgraph import PenstockCache
from penstock.publisher.errors import CodecError, ConfigurationError
from tests.langgraph.graphs import Log, of
from tests.langgraph.test_types import Price
from tests.support.server import RedisServer

A, B, C = (("ns", "inner"), "a"), (("ns", "inner"), "b"), (("other",), "a")
PAIRS: Any = {A: ([("x", b"\0\xff")], None), B: ({"b": (1, None)}, 60), C: (None, None)}


@pytest.fixture(params=["ours", "in memory"])
def cache(request: pytest.FixtureRequest, redis_url: str) -> Any:
    if request.param == "ours":
        return PenstockCache(redis_url)
    return cast(Any, InMemoryCache())


def test_values_are_kept_until_they_are_cleared(cache: Any) -> None:
    cache.set(PAIRS)
    assert cache.get([A, B, C, (("ns",), "a")]) == {
        A: [["x", b"\0\xff"]],
        B: {"b": [1, None]},
        C: None,
    }

    cache.clear([("ns", "inner")])
    assert cache.get([A, B, C]) == {C: None}

    cache.clear()
    assert cache.get([A, B, C]) == {}


def test_async_calls_do_the_same(cache: Any) -> None:
    async def use() -> Any:
        await cache.aset(PAIRS)
        await cache.aclear([("other",)])
        return await cache.aget([A, B, C])

    assert asyncio.run(use()) == {A: [["x", b"\0\xff"]], B: {"b": [1, None]}}


def test_a_value_lives_as_long_as_it_is_told(redis_url: str, redis_client: redis.Redis) -> None:
    PenstockCache(redis_url).set(PAIRS)

    keys = cast("list[bytes]", redis_client.keys("penstock:cache:*"))
    lives = [redis_client.ttl(key) for key in keys]

    assert sorted(lives)[:2] == [-1, -1]
    assert 50 < max(lives) <= 60


def test_types_that_are_not_listed_are_refused_and_not_found(
    redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(CodecError, match=r"to be cached as 'a', which holds a .*\.Price; name it"):
        PenstockCache(redis_url).set({A: (Price(1), None)})

    PenstockCache(redis_url, types=[Price]).set({A: (Price(1), None)})

    assert PenstockCache(redis_url, types=[Price]).get([A]) == {A: Price(1)}
    assert PenstockCache(redis_url).get([A]) == {}
    assert "name it in types=[...]" in caplog.text
    with pytest.raises(ConfigurationError, match="leave out either"):
        PenstockCache(redis_url, types=[Price], serde=PenstockCache.serde)


def test_without_redis_nothing_is_cached_and_nothing_fails(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with RedisServer() as server:
        url = f"redis://127.0.0.1:{server.port}"
    cache = PenstockCache(url)

    cache.set(PAIRS)

    assert cache.get([A]) == {}
    assert "Redis does not answer" in caplog.text


def test_a_node_is_executed_once_in_all_processes(redis_url: str, tmp_path: Path) -> None:
    noted = tmp_path / "noted"

    def slow(state: Log) -> dict[str, Any]:
        with noted.open("a") as file:
            file.write("x")
        return {"log": ["slow"]}

    def graph() -> Any:
        builder: Any = StateGraph(Log)
        builder.add_node("slow", of(slow), cache_policy=CachePolicy(ttl=60))
        builder.add_edge(START, "slow")
        return builder.compile(cache=PenstockCache(redis_url))

    outcomes = [graph().invoke({"log": [text]}) for text in ("a", "b", "a")]
    found = asyncio.run(graph().ainvoke({"log": ["b"]}))

    assert outcomes == [{"log": ["a", "slow"]}, {"log": ["b", "slow"]}, {"log": ["a", "slow"]}]
    assert found == {"log": ["b", "slow"]}
    assert noted.read_text() == "xx"
