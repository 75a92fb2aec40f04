from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.publisher.errors import ConfigurationError
from penstock.runtime.store.item import PutOp
from penstock.runtime.store.memory import InMemoryStore
from penstock.runtime.store.redis import RedisStore
from tests.runtime.store.aging import age, keys_of
from tests.runtime.store.conftest import MakeStore
from tests.runtime.store.embedders import count_words
from tests.runtime.store.indexes import assert_indexes_agree
from tests.support.until import until

SPACE = ("a", "b")
OMIT = {"omit_expired": True}


def test_an_item_is_over_after_its_minutes_and_a_sweep_removes_it(make_store: MakeStore) -> None:
    store = make_store(ttl=OMIT)
    store.put(SPACE, "short", {}, ttl=5)
    store.put(SPACE, "long", {}, ttl=50)
    store.put(SPACE, "forever", {})

    age(store, 4.9)
    assert store.get(SPACE, "short", refresh_ttl=False) is not None
    age(store, 0.2)
    assert store.get(SPACE, "short") is None
    assert [item.key for item in store.search(())] == ["long", "forever"]
    assert store.sweep_ttl() == 1
    age(store, 100)
    assert store.sweep_ttl() == 1
    assert [item.key for item in store.search(())] == ["forever"]
    assert store.sweep_ttl() == 0


def test_what_is_over_can_be_read_until_it_is_swept_unless_it_is_to_be_omitted(
    make_store: MakeStore,
) -> None:
    store = make_store()
    store.put(SPACE, "x", {}, ttl=5)

    age(store, 6)
    found = store.search((), refresh_ttl=False)
    assert [item.key for item in found] == ["x"]
    assert store.get(SPACE, "x", refresh_ttl=False) is not None
    assert store.sweep_ttl() == 1
    assert store.get(SPACE, "x") is None


def test_a_sweep_leaves_no_key_behind(make_store: MakeStore) -> None:
    store = make_store(index={"dims": 3, "embed": count_words})
    store.batch([PutOp((str(i % 3),), str(i), {"t": "cat"}, ttl=1) for i in range(30)])

    age(store, 2)

    assert store.sweep_ttl() == 30
    assert store.list_namespaces() == []
    assert store.search((), query="cat") == []
    assert keys_of(store) == []


def test_reading_starts_a_ttl_anew(make_store: MakeStore) -> None:
    store = make_store(ttl=OMIT)
    for key in ("got", "searched", "filtered", "left"):
        store.put((key,), key, {"n": 1}, ttl=10)

    for _ in range(3):
        age(store, 6)
        assert store.get(("got",), "got") is not None
        assert len(store.search(("searched",))) == 1
        assert len(store.search(("filtered",), filter={"n": 1})) == 1

    assert store.sweep_ttl() == 1
    assert store.list_namespaces() == [("filtered",), ("got",), ("searched",)]


def test_refreshing_can_be_off_and_asked_for_by_a_call(make_store: MakeStore) -> None:
    store = make_store(ttl={"refresh_on_read": False, **OMIT})
    for key in ("plain", "asked", "searched"):
        store.put((key,), key, {}, ttl=10)

    age(store, 6)
    store.get(("plain",), "plain")
    store.search(("plain",))
    store.get(("asked",), "asked", refresh_ttl=True)
    store.search(("searched",), refresh_ttl=True)
    age(store, 6)

    assert [item.key for item in store.search(())] == ["asked", "searched"]


def test_only_what_a_search_returns_is_refreshed(make_store: MakeStore) -> None:
    store = make_store(ttl=OMIT)
    for number in range(4):
        store.put(SPACE, str(number), {"n": number}, ttl=10)

    age(store, 6)
    store.search((), filter={"n": {"$gt": 0}}, limit=1, offset=1)
    age(store, 6)

    assert [item.key for item in store.search(())] == ["2"]


def test_the_default_ttl_is_for_puts_without_one(make_store: MakeStore) -> None:
    store = make_store(ttl={"default_ttl": 10})
    store.put(SPACE, "default", {})
    store.put(SPACE, "none", {}, ttl=None)
    store.put(SPACE, "own", {}, ttl=30)

    age(store, 20)

    assert store.sweep_ttl() == 1
    assert [item.key for item in store.search(())] == ["none", "own"]


def test_a_new_put_sets_the_ttl_anew(make_store: MakeStore) -> None:
    store = make_store()
    for key in ("shorter", "none", "longer"):
        store.put(SPACE, key, {}, ttl=10)
    store.put(SPACE, "shorter", {}, ttl=1)
    store.put(SPACE, "none", {})
    store.put(SPACE, "longer", {}, ttl=100)

    age(store, 2)
    assert store.sweep_ttl() == 1
    age(store, 20)
    assert store.sweep_ttl() == 0

    assert [item.key for item in store.search(())] == ["none", "longer"]


def test_a_put_over_what_is_over_is_a_new_item(make_store: MakeStore) -> None:
    store = make_store()
    store.put(SPACE, "x", {"n": 1}, ttl=1)
    first = store.get(SPACE, "x")
    age(store, 2)

    store.put(SPACE, "x", {"n": 2})

    second = store.get(SPACE, "x")
    assert first is not None and second is not None
    assert second.created_at > first.created_at
    assert second.created_at == second.updated_at
    assert store.sweep_ttl() == 0


def test_writes_remove_what_has_been_over_for_a_sweep_interval(make_store: MakeStore) -> None:
    store = make_store(ttl={"sweep_interval_minutes": 3})
    store.put(SPACE, "x", {}, ttl=1)
    age(store, 2)
    store.put(("other",), "y", {})
    assert store.list_namespaces() == [SPACE, ("other",)]

    age(store, 3)
    store.put(("other",), "z", {})

    assert store.list_namespaces() == [("other",)]


def test_many_items_are_swept_in_parts(
    make_store: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.runtime.store.plans.SWEEP", 7)
    store = make_store()
    store.batch([PutOp((str(i % 11),), str(i), {}, ttl=1 + i % 2) for i in range(100)])
    age(store, 1.5)

    assert store.sweep_ttl() == 50
    assert len(store.search((), limit=200)) == 50


def test_a_sweep_that_is_sent_twice_counts_what_it_removed(redis_url: str) -> None:
    class LosesReplies(RedisStore):
        lost = 0

        def _send(self, request: Any) -> Any:
            reply = super()._send(request)
            if getattr(getattr(request, "script", None), "name", "") == "sweep" and not self.lost:
                self.lost += 1
                raise ConnectionError("the reply was lost")
            return reply

    with LosesReplies(redis_url) as store:
        store.put(SPACE, "x", {}, ttl=1)
        age(store, 2)

        assert store.sweep_ttl() == 1
        assert store.lost == 1


def test_time_passes_by_itself(make_store: MakeStore) -> None:
    store = make_store(ttl=OMIT)
    store.put(SPACE, "x", {}, ttl=0.05 / 60)

    until(lambda: store.get(SPACE, "x", refresh_ttl=False) is None)


def test_the_sweeper_sweeps_until_it_is_stopped(make_store: MakeStore) -> None:
    store = make_store()
    store.put(SPACE, "x", {}, ttl=1)
    age(store, 2)

    future = store.start_ttl_sweeper(0.01 / 60)
    assert store.start_ttl_sweeper() is future
    until(lambda: not store.list_namespaces())

    assert not future.done()
    assert store.stop_ttl_sweeper(timeout=10)
    assert future.done()
    assert store.stop_ttl_sweeper()


def test_the_sweeper_goes_on_after_a_failure(
    make_store: MakeStore, caplog: pytest.LogCaptureFixture
) -> None:
    store = make_store()
    store.put(SPACE, "x", {}, ttl=1)
    age(store, 2)
    sweep, failures = store.sweep_ttl, [redis.ConnectionError("not now")]

    def fails_once() -> int:
        if failures:
            raise failures.pop()
        return sweep()

    cast(Any, store).sweep_ttl = fails_once
    store.start_ttl_sweeper(0.01 / 60)
    until(lambda: not store.list_namespaces())

    assert "were not swept, trying again" in caplog.text
    asyncio.run(store.aclose())
    assert store.start_ttl_sweeper(1) is not None
    store.close()


@pytest.mark.parametrize("ttl", [0, -1, float("nan"), float("inf"), "5"])
def test_a_ttl_that_is_no_duration_is_an_error(ttl: Any) -> None:
    with pytest.raises(ValueError, match="a ttl is a positive number of minutes"):
        InMemoryStore().put(SPACE, "x", {}, ttl=ttl)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"default_ttl": -1}, "the ttl config cannot be read"),
        ({"sweep_interval_minutes": 0}, "the ttl config cannot be read"),
        ({"default": 5}, "the ttl config has no 'default'"),
    ],
)
def test_a_ttl_config_that_cannot_be_read_is_an_error(config: Any, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        InMemoryStore(ttl=config)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 3), st.sampled_from([0, 3, 8])),
        st.tuples(st.just("age"), st.integers(1, 6), st.just(0)),
        st.tuples(st.sampled_from(["get", "sweep", "delete"]), st.integers(0, 3), st.just(0)),
    ),
    max_size=20,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps)
def test_items_live_as_long_as_a_plain_model_says(steps: list[tuple[str, int, int]]) -> None:
    store = InMemoryStore(ttl={"omit_expired": True})
    clock = 0.0
    lives: dict[int, tuple[float, int]] = {}  # when it ends, TTL

    def alive(number: int) -> bool:
        return number in lives and lives[number][0] > clock

    for word, number, ttl in steps:
        if word == "put":
            store.put((str(number % 2),), str(number), {}, ttl=ttl or None)
            lives[number] = (clock + ttl if ttl else float("inf"), ttl)
        elif word == "age":
            # Half a minute, so that the time the test takes does not decide.
            age(store, number + 0.5)
            clock += number + 0.5
        elif word == "get":
            assert (store.get((str(number % 2),), str(number)) is not None) == alive(number)
            if alive(number) and lives[number][1]:
                lives[number] = (clock + lives[number][1], lives[number][1])
        elif word == "delete":
            store.delete((str(number % 2),), str(number))
            lives.pop(number, None)
        else:
            store.sweep_ttl()
    found = store.search((), refresh_ttl=False)
    assert sorted(int(item.key) for item in found) == sorted(filter(alive, lives))
    store.sweep_ttl()
    spaces = {(str(number % 2),) for number in lives if alive(number)}
    assert store.list_namespaces() == sorted(spaces)
    assert_indexes_agree(store)
