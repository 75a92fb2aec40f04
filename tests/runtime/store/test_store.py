from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.publisher.errors import CodecError, RedisRightsError, RedisUnavailableError
from penstock.runtime.engine.context import get_store
from penstock.runtime.func.entrypoint import entrypoint
from penstock.runtime.func.task import task
from penstock.runtime.settings import Settings
from penstock.runtime.store.item import (
    GetOp,
    Item,
    ListNamespacesOp,
    MatchCondition,
    PutOp,
    SearchItem,
    SearchOp,
)
from penstock.runtime.store.keys import PERMANENT, Space, StoreKeys
from penstock.runtime.store.memory import InMemoryStore
from penstock.runtime.store.namespace import InvalidNamespaceError
from penstock.runtime.store.redis import RedisStore
from penstock.runtime.store.store import BaseStore
from tests.runtime.store.aging import keys_of
from tests.runtime.store.conftest import MakeStore
from tests.runtime.store.embedders import count_words
from tests.runtime.store.indexes import assert_indexes_agree

USER = ("users", "42")


def found(items: list[SearchItem]) -> list[str]:
    return [item.key for item in items]


def test_what_is_put_is_got(store: RedisStore) -> None:
    before = datetime.now(UTC)

    store.put(USER, "food", {"likes": ["tea", 1, None], "at": (1, 2)})

    item = store.get(USER, "food")
    assert item is not None
    assert item.value == {"likes": ["tea", 1, None], "at": (1, 2)}
    assert (item.namespace, item.key) == (USER, "food")
    assert item.created_at == item.updated_at
    assert abs(item.created_at - before) < timedelta(seconds=10)
    assert item.created_at.tzinfo is UTC


def test_what_was_not_put_is_none(store: RedisStore) -> None:
    store.put(USER, "a", {})

    assert store.get(USER, "b") is None
    assert store.get(("users",), "a") is None
    assert store.get((), "a") is None


def test_a_put_in_the_same_place_replaces_the_value_and_keeps_its_creation(
    store: RedisStore,
) -> None:
    store.put(USER, "a", {"n": 1})
    first = store.get(USER, "a")

    store.put(USER, "a", {"n": 2})

    second = store.get(USER, "a")
    assert first is not None and second is not None
    assert second.value == {"n": 2}
    assert second.created_at == first.created_at
    assert second.updated_at > first.updated_at


def test_delete_and_a_put_of_none_leave_nothing_behind(store: RedisStore) -> None:
    store.put(USER, "a", {"n": 1}, ttl=5)
    store.put(USER, "b", {"n": 1})

    store.delete(USER, "a")
    store.put(USER, "b", None)
    store.delete(USER, "never there")

    assert store.get(USER, "a") is None
    assert store.search(()) == []
    assert store.list_namespaces() == []
    assert keys_of(store) == []


def test_an_item_is_equal_by_content_and_tells_it_as_a_dict(store: RedisStore) -> None:
    store.put(USER, "a", {"n": 1})

    one, other = store.get(USER, "a"), store.get(USER, "a")
    [hit] = store.search(USER)

    assert one is not None
    assert one == other
    assert one != hit
    assert hash(one) == hash(other)
    assert one.dict() == {
        "namespace": ["users", "42"],
        "key": "a",
        "value": {"n": 1},
        "created_at": one.created_at.isoformat(),
        "updated_at": one.updated_at.isoformat(),
    }
    assert hit.dict() == {**one.dict(), "score": None}


def test_search_takes_the_namespaces_under_a_prefix_by_whole_labels(store: RedisStore) -> None:
    for namespace in [("users", "1"), ("users", "1", "x"), ("users", "12"), ("user",), ("v",)]:
        store.put(namespace, "/".join(namespace), {})

    assert found(store.search(("users",))) == ["users/1", "users/1/x", "users/12"]
    assert found(store.search(("users", "1"))) == ["users/1", "users/1/x"]
    assert found(store.search(("use",))) == []
    assert found(store.search(())) == ["user", "users/1", "users/1/x", "users/12", "v"]


def test_search_gives_the_oldest_first_in_pages(store: RedisStore) -> None:
    for number in (3, 1, 2):
        store.put(("b",), str(number), {"n": number})
        store.put(("a",), str(number), {"n": number})
    store.put(("a",), "3", {"n": 33})

    everything = [(item.namespace[0], item.key) for item in store.search(())]
    pages = [store.search((), limit=2, offset=offset) for offset in (0, 2, 4, 6)]

    assert everything == [("a", "3"), ("a", "1"), ("a", "2"), ("b", "3"), ("b", "1"), ("b", "2")]
    assert [(item.namespace[0], item.key) for page in pages for item in page] == everything
    assert store.search((), limit=0) == []


def test_search_with_a_filter_pages_over_what_matches(store: RedisStore) -> None:
    store.batch([PutOp(("n", str(i % 7)), f"{i:04}", {"n": i}) for i in range(1500)])

    wanted = {"n": {"$gte": 200, "$lt": 1300}}
    pages = [
        store.search(("n",), filter=wanted, limit=100, offset=at) for at in range(0, 1300, 100)
    ]

    numbers = [item.value["n"] for page in pages for item in page]
    assert [len(page) for page in pages] == [100] * 11 + [0, 0]
    assert numbers == sorted(range(200, 1300), key=lambda n: (n % 7, n))


def test_an_unknown_operator_is_an_error_even_where_nothing_is_stored(store: RedisStore) -> None:
    with pytest.raises(ValueError, match=r"unknown operator '\$in'.*\$lte"):
        store.search((), filter={"n": {"$in": [1]}})


@pytest.mark.parametrize("name", ["limit", "offset"])
def test_a_negative_page_is_an_error(store: RedisStore, name: str) -> None:
    with pytest.raises(ValueError, match="not negative"):
        store.search((), **cast(Any, {name: -1}))
    with pytest.raises(ValueError, match="not negative"):
        store.list_namespaces(**cast(Any, {name: -1}))


def test_namespaces_are_listed_sorted_by_prefix_suffix_and_depth(store: RedisStore) -> None:
    spaces = [("a", "b", "c"), ("a", "b", "d"), ("a", "x", "c"), ("b", "b", "c"), ("a",), ("ab",)]
    for namespace in spaces:
        store.put(namespace, "k", {})
        store.put(namespace, "l", {})

    listed = store.list_namespaces

    assert listed() == sorted(spaces)
    assert listed(prefix=("a",)) == [("a",), ("a", "b", "c"), ("a", "b", "d"), ("a", "x", "c")]
    assert listed(suffix=("c",)) == [("a", "b", "c"), ("a", "x", "c"), ("b", "b", "c")]
    assert listed(prefix=("*", "b"), suffix=("c",)) == [("a", "b", "c"), ("b", "b", "c")]
    assert listed(prefix=("a", "*", "c")) == [("a", "b", "c"), ("a", "x", "c")]
    assert listed(suffix=("b", "*")) == [("a", "b", "c"), ("a", "b", "d"), ("b", "b", "c")]
    assert listed(max_depth=2) == [("a",), ("a", "b"), ("a", "x"), ("ab",), ("b", "b")]
    assert listed(prefix=("a",), max_depth=1) == [("a",)]
    assert listed(limit=2, offset=1) == sorted(spaces)[1:3]
    assert listed(max_depth=1, limit=1, offset=1) == [("ab",)]
    assert listed(limit=0) == []
    assert listed(prefix=("a", "b", "c", "d")) == []


def test_namespaces_over_many_pages_are_listed_once_each(
    store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.runtime.store.spaces.PAGE", 3)
    spaces = [(str(i // 4), str(i)) for i in range(10, 40)]
    store.batch([PutOp(namespace, "k", {"n": int(namespace[1])}) for namespace in spaces])

    assert store.list_namespaces() == sorted(spaces)
    assert store.list_namespaces(max_depth=1) == sorted({space[:1] for space in spaces})
    assert store.list_namespaces(max_depth=1, limit=3, offset=2) == [("4",), ("5",), ("6",)]
    assert len(store.search((), limit=100)) == 30
    assert len(store.search(("9",), limit=100)) == 4


def test_a_listing_that_cannot_be_read_is_an_error(store: RedisStore) -> None:
    wrong = MatchCondition(cast(Any, "infix"), ("a",))
    with pytest.raises(ValueError, match='"prefix" or "suffix", not \'infix\''):
        store.batch([ListNamespacesOp((wrong,))])
    with pytest.raises(ValueError, match="max_depth is 1 or more"):
        store.list_namespaces(max_depth=0)


def test_a_batch_answers_in_order_and_reads_what_was_there_before_it(store: RedisStore) -> None:
    store.put(("a",), "old", {"n": 0})

    results = store.batch(
        [
            PutOp(("a",), "new", {"n": 1}),
            GetOp(("a",), "new"),
            GetOp(("a",), "old"),
            PutOp(("a",), "new", {"n": 2}),
            PutOp(("a",), "old", None),
            SearchOp(("a",)),
            ListNamespacesOp(),
            PutOp(("b",), "x", {}),
        ]
    )

    old = cast(Item, results[2])
    assert results[:2] == [None, None]
    assert old.value == {"n": 0}
    assert results[3:5] == [None, None]
    assert found(cast("list[SearchItem]", results[5])) == ["old"]
    assert results[6:] == [[("a",)], None]
    new = store.get(("a",), "new")
    assert new is not None and new.value == {"n": 2}
    assert store.get(("a",), "old") is None
    assert store.list_namespaces() == [("a",), ("b",)]
    assert store.batch([]) == []


def test_a_batch_with_a_wrong_op_does_nothing(store: RedisStore) -> None:
    with pytest.raises(InvalidNamespaceError):
        store.batch([PutOp(("a",), "x", {}), PutOp(("a.b",), "x", {})])
    with pytest.raises(CodecError, match="the value of 'y' in"):
        store.batch([PutOp(("a",), "x", {}), PutOp(("a",), "y", {"f": object()})])
    with pytest.raises(ValueError, match="a ttl is a positive number"):
        store.batch([PutOp(("a",), "x", {}), PutOp(("a",), "y", {}, ttl=-1)])

    assert store.list_namespaces() == []


def test_keys_and_values_of_other_types_are_refused(store: RedisStore) -> None:
    with pytest.raises(TypeError, match="the key of an item is a string, not 1"):
        store.put(("a",), cast(str, 1), {})
    with pytest.raises(TypeError, match="the value of an item is a dict, not a list"):
        store.put(("a",), "x", cast(Any, [1]))
    with pytest.raises(TypeError, match="index is a list of paths"):
        store.put(("a",), "x", {}, index=cast(Any, "a.b"))


def test_many_items_are_got_in_one_batch(store: RedisStore) -> None:
    store.batch([PutOp(("a",), str(i), {"n": i}) for i in range(1200)])

    items = store.batch([GetOp(("a",), str(i)) for i in range(1300)])

    values = [cast(Item, item).value["n"] for item in items[:1200]]
    assert values == list(range(1200))
    assert set(items[1200:]) == {None}


def test_items_of_one_batch_are_in_its_order(store: RedisStore) -> None:
    keys = [str(i) for i in range(30, 0, -1)]
    store.batch([PutOp(USER, key, {}) for key in keys])

    assert found(store.search((), limit=50)) == keys


def test_a_write_that_is_sent_twice_is_made_once(redis_url: str) -> None:
    class LosesReplies(RedisStore):
        lost = 0

        def _send(self, request: Any) -> Any:
            reply = super()._send(request)
            if getattr(getattr(request, "script", None), "name", "") == "put" and not self.lost:
                self.lost += 1
                other.put(USER, "a", {"by": "other"})
                raise ConnectionError("the reply was lost")
            return reply

    with LosesReplies(redis_url) as store, RedisStore(redis_url) as other:
        store.put(USER, "a", {"by": "first"})

        item = store.get(USER, "a")
        assert store.lost == 1
        assert item is not None and item.value == {"by": "other"}


def test_redis_that_is_away_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.publisher.redis.retries.PAUSE", 0)
    with RedisStore("redis://127.0.0.1:1") as store:
        with pytest.raises(RedisUnavailableError, match="cannot do this now"):
            store.get(USER, "a")
        with pytest.raises(RedisUnavailableError):
            asyncio.run(store.aget(USER, "a"))


def test_a_refusal_of_redis_is_an_error_of_ours(redis_url: str, redis_client: Any) -> None:
    with RedisStore(redis_url) as store:
        redis_client.set(StoreKeys().namespaces, "not a sorted set")
        try:
            with pytest.raises(RedisUnavailableError, match="WRONGTYPE"):
                store.list_namespaces()
            with pytest.raises(RedisUnavailableError, match="WRONGTYPE"):
                asyncio.run(_alist(store))
        finally:
            redis_client.flushall()


@pytest.mark.parametrize("is_async", [False, True])
def test_a_right_that_is_missing_is_an_error_of_its_own(
    redis_url: str, redis_client: Any, is_async: bool
) -> None:
    redis_client.acl_setuser("reader", enabled=True, nopass=True, commands=["-@all"], keys=["*"])
    url = redis_url.replace("redis://", "redis://reader:any@")
    try:
        with RedisStore(url) as store, pytest.raises(RedisRightsError, match="permissions"):
            asyncio.run(_alist(store)) if is_async else store.list_namespaces()
    finally:
        redis_client.acl_deluser("reader")


async def _alist(store: RedisStore) -> None:
    async with store:
        await store.alist_namespaces()


def test_every_verb_has_a_twin_for_asyncio(make_store: MakeStore) -> None:
    async def main() -> None:
        async with make_store() as store:
            await store.aput(USER, "a", {"n": 1}, ttl=5)
            await store.aput(USER, "b", {"n": 2})
            item = await store.aget(USER, "a")
            assert item is not None and item.value == {"n": 1}
            assert found(await store.asearch(("users",), filter={"n": 2})) == ["b"]
            assert await store.alist_namespaces(prefix=("*", "42")) == [USER]
            assert await store.abatch([GetOp(USER, "c")]) == [None]
            assert await store.asweep_ttl() == 0
            await store.adelete(USER, "b")
            await asyncio.gather(*(store.aput(("many",), str(i), {"i": i}) for i in range(50)))
            assert len(await store.asearch((), limit=100)) == 51
            assert store.get(USER, "b") is None

    asyncio.run(main())


def test_a_store_serves_one_event_loop_after_another(make_store: MakeStore) -> None:
    store = make_store()

    async def count() -> int:
        try:
            await store.aput(USER, str(len(store.search(USER))), {})
            return len(await store.asearch(USER))
        finally:
            await store.aclose()

    assert [asyncio.run(count()) for _ in range(3)] == [1, 2, 3]


def test_a_store_may_be_given_a_client_of_either_kind(redis_client: Any, redis_url: str) -> None:
    from redis import asyncio as aredis

    async def main() -> None:
        async with RedisStore(redis_client) as first:
            first.put(USER, "a", {"n": 1})
            item = await first.aget(USER, "a")
            assert item is not None and item.value == {"n": 1}
        given = aredis.Redis.from_url(redis_url)
        async with RedisStore(given) as second:
            assert second.get(USER, "a") == item == await second.aget(USER, "a")
        await given.aclose()

    asyncio.run(main())


def test_stores_of_one_server_share_items_and_those_of_another_prefix_do_not(
    redis_url: str,
) -> None:
    with (
        RedisStore(redis_url) as one,
        RedisStore(redis_url) as same,
        RedisStore(redis_url, settings=Settings(prefix="penstock:store")) as other,
    ):
        one.put(USER, "a", {"n": 1})
        other.put(USER, "b", {"n": 2})

        assert found(same.search(())) == ["a"]
        assert found(other.search(())) == ["b"]
        other.delete(USER, "b")


def test_in_memory_stores_share_nothing() -> None:
    one, other = InMemoryStore(), InMemoryStore()

    one.put(USER, "a", {})

    assert other.search(()) == []


def test_a_store_without_ttl_refuses_one() -> None:
    class Forgetful(BaseStore):
        def batch(self, ops: Any) -> list[Any]:
            return [None for _ in ops]

        async def abatch(self, ops: Any) -> list[Any]:
            return self.batch(ops)

    store = Forgetful()
    store.put(USER, "a", {})
    store.put(USER, "a", {}, ttl=None)
    with pytest.raises(NotImplementedError, match="Forgetful has no TTL"):
        store.put(USER, "a", {}, ttl=1)


def test_code_of_a_run_reaches_the_store_in_every_way() -> None:
    memory = InMemoryStore()

    @task
    def remember(key: str, store: BaseStore | None = None) -> None:
        assert store is not None
        store.put(USER, key, {"by": "task"})

    @entrypoint(store=memory)
    def flow(name: str, *, store: BaseStore, runtime: Any) -> Any:
        remember(name).result()
        store.put(USER, "body", {"by": "body"})
        ambient = get_store()
        return ambient is runtime.store is store, found(ambient.search(USER))

    assert flow.invoke("task") == (True, ["task", "body"])


def test_code_of_an_async_run_reaches_the_store() -> None:
    memory = InMemoryStore()

    @entrypoint(store=memory)
    async def flow(name: str) -> Any:
        await get_store().aput(USER, name, {})
        return found(await get_store().asearch(()))

    assert asyncio.run(flow.ainvoke("a")) == ["a"]


def test_the_scripts_use_the_keys_that_are_named(make_store: MakeStore) -> None:
    store = make_store(index={"dims": 3, "embed": count_words})
    store.put(USER, "a", {"n": "cat"}, ttl=5)
    keys, digest = StoreKeys(), Space.of(USER).digest

    assert keys_of(store) == sorted(
        [
            keys.namespaces,
            keys.expiries,
            keys.space(digest),
            keys.items(digest),
            keys.order(digest),
            keys.expiry(digest),
            keys.vectors(digest),
        ]
    )
    kinds = {key.removeprefix("penstock:").replace(digest, "*") for key in keys_of(store)}
    assert kinds == set(PERMANENT)
    found_done = [key for key in cast(Any, store.connection).keys(keys.done("*"))]
    assert len(found_done) == 1
    assert 0 < cast(Any, store.connection).ttl(found_done[0]) <= 60


labels = st.text(min_size=1, max_size=3, alphabet="ab*:{}?[]\\\0\1\2é\ud800🐘").filter(
    lambda label: "." not in label
)
namespaces = st.lists(labels, min_size=1, max_size=3).map(tuple)
texts = st.text(max_size=3, alphabet="ab*:{}\0\1\n é\ud800🐘")
puts = st.tuples(namespaces, texts, st.none() | st.integers(0, 3).map(lambda n: {"n": n}))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(puts, max_size=12), namespaces, st.integers(0, 3), st.integers(0, 4))
def test_a_store_does_what_a_dict_of_dicts_would(
    writes: list[tuple[tuple[str, ...], str, dict[str, Any] | None]],
    prefix: tuple[str, ...],
    number: int,
    offset: int,
) -> None:
    store = InMemoryStore()
    oracle: dict[tuple[str, ...], dict[str, dict[str, Any]]] = {}
    for namespace, key, value in writes:
        store.put(namespace, key, value)
        if value is None:
            oracle.get(namespace, {}).pop(key, None)
        else:
            oracle.setdefault(namespace, {})[key] = value
    spaces = sorted(namespace for namespace, items in oracle.items() if items)

    assert store.list_namespaces() == spaces
    for length in range(len(prefix) + 1):
        under = [space for space in spaces if space[:length] == prefix[:length]]
        expected = [(s, key, value) for s in under for key, value in oracle[s].items()]
        given = store.search(prefix[:length], limit=3, offset=offset)
        assert [(i.namespace, i.key, i.value) for i in given] == expected[offset : offset + 3]
        matching = [each for each in expected if each[2] == {"n": number}]
        given = store.search(prefix[:length], filter={"n": number}, limit=50)
        assert [(i.namespace, i.key, i.value) for i in given] == matching
    for namespace, key, _ in writes:
        item = store.get(namespace, key)
        assert (item and item.value) == oracle.get(namespace, {}).get(key)
    assert_indexes_agree(store)
