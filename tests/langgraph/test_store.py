"""LangGraph's store over ours, held against LangGraph's in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, cast

import pytest
import redis
from langgraph.graph import START, StateGraph
from langgraph.store.base import (
    BaseStore,
    GetOp,
    Item,
    ListNamespacesOp,
    MatchCondition,
    Op,
    PutOp,
    SearchItem,
    SearchOp,
)
from langgraph.store.memory import InMemoryStore

from penstock.langgraph import PenstockStore
from penstock.runtime import RedisStore
from tests.langgraph.graphs import Log


def embed(texts: list[str]) -> list[list[float]]:
    return [[float(text.count("sea")), float(text.count("snow"))] for text in texts]


INDEX: Any = {
    "dims": 2,
    "embed": embed,
    "fields": ["about"],
}
PUTS = [
    PutOp(("users", "ann"), "a", {"about": "the sea and the sea", "age": 30}),
    PutOp(("users", "ann"), "b", {"about": "snow", "age": 20, "tags": ["x"]}),
    PutOp(("users", "bob"), "a", {"about": "sea and snow", "age": 25}),
    PutOp(("docs",), "a", {"text": "none"}, index=False),
]
OPS: list[Op] = [
    GetOp(("users", "ann"), "a"),
    GetOp(("users", "ann"), "missing", refresh_ttl=False),
    SearchOp(("users",), filter={"age": {"$gte": 25}}),
    SearchOp(("users", "ann"), filter={"age": 20}),
    SearchOp(("users",), limit=1, offset=1),
    SearchOp(("users",), query="sea"),
    ListNamespacesOp(),
    ListNamespacesOp((MatchCondition("prefix", ("users", "*")),), limit=1, offset=1),
    ListNamespacesOp((MatchCondition("suffix", ("ann",)),)),
    ListNamespacesOp(max_depth=1),
]


@pytest.fixture
def store(redis_url: str) -> Iterator[PenstockStore]:
    with PenstockStore(redis_url, index=INDEX) as each:
        yield each


def seen(results: list[Any]) -> list[Any]:
    """Return results without times; those of a search without a query in one order."""
    return [_seen(each) for each in results]


def _seen(result: Any) -> Any:
    if isinstance(result, list):
        return [*map(_seen, cast(Any, result))]
    if isinstance(result, SearchItem):
        return type(result), result.namespace, result.key, result.value, result.score
    if isinstance(result, Item):
        return type(result), result.namespace, result.key, result.value
    return result


def test_a_batch_gives_what_it_gives_in_memory(store: PenstockStore) -> None:
    memory = InMemoryStore(index=INDEX)
    assert store.batch(PUTS) == memory.batch(PUTS)

    found, expected = seen(store.batch(OPS)), seen(memory.batch(OPS))

    assert found[:5] == expected[:5]
    assert [item[:4] for item in found[5]] == [item[:4] for item in expected[5]]
    assert [item[4] for item in found[5]] == pytest.approx([item[4] for item in expected[5]])
    assert list(map(sorted, found[6:])) == list(map(sorted, expected[6:]))


def test_async_calls_give_the_same(store: PenstockStore) -> None:
    async def ask() -> list[Any]:
        await store.abatch(PUTS)
        found = await store.abatch(OPS)
        await store.adelete(("docs",), "a")
        gone = await store.aget(("docs",), "a")
        await store.aclose()
        return [*seen(found), gone]

    found = asyncio.run(ask())

    assert found == [*seen(store.batch(OPS[:6])), *found[6:10], None]
    assert found[6] == [("docs",), ("users", "ann"), ("users", "bob")]


def test_items_have_a_time_to_live_in_minutes(redis_url: str, redis_client: redis.Redis) -> None:
    with PenstockStore(redis_url, ttl={"default_ttl": 2, "refresh_on_read": False}) as store:
        store.put(("a",), "default", {"n": 1})
        store.put(("a",), "own", {"n": 2}, ttl=5)
        store.put(("a",), "none", {"n": 3}, ttl=None)

        (key,) = cast("list[bytes]", redis_client.keys("penstock:store:expiry:*"))
        ends = dict(
            cast("list[tuple[bytes, float]]", redis_client.zrange(key, 0, -1, withscores=True))
        )
        assert ends.keys() == {b"default", b"own"}
        assert ends[b"own"] - ends[b"default"] == pytest.approx(180_000, abs=5_000)
        assert store.sweep_ttl() == 0


def test_it_is_the_store_of_penstocks_workflows(store: PenstockStore, redis_url: str) -> None:
    store.put(("users",), "a", {"about": "sea"})

    with RedisStore(redis_url) as ours:
        found = ours.get(("users",), "a")

    assert found is not None
    assert found.value == {"about": "sea"}


def test_a_graph_uses_it(store: PenstockStore) -> None:
    def remember(state: Log, *, store: BaseStore) -> dict[str, Any]:
        before = store.search(("log",))
        store.put(("log",), str(len(before)), {"log": state["log"]})
        return {"log": [f"{len(before)} before"]}

    builder: Any = StateGraph(Log)
    builder.add_node("remember", remember)
    builder.add_edge(START, "remember")
    graph = builder.compile(store=store)

    assert graph.invoke({"log": ["a"]}) == {"log": ["a", "0 before"]}
    assert graph.invoke({"log": ["b"]}) == {"log": ["b", "1 before"]}


def test_wrong_ops_are_refused(store: PenstockStore) -> None:
    with pytest.raises(ValueError, match=r"[Nn]amespace"):
        store.put((), "a", {})
    with pytest.raises(ValueError, match="unknown operator"):
        store.search(("a",), filter={"a": {"$near": 1}})
