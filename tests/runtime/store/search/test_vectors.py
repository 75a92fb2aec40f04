from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.publisher.errors import ConfigurationError
from penstock.runtime.store.item import PutOp, SearchItem
from penstock.runtime.store.keys import Space, StoreKeys
from penstock.runtime.store.memory import InMemoryStore
from penstock.runtime.store.redis import RedisStore
from penstock.runtime.store.search.vectors import Matrix, MatrixCache, pack
from tests.runtime.store.aging import age
from tests.runtime.store.conftest import MakeStore
from tests.runtime.store.embedders import cosine, count_words, read_numbers

PETS = ("pets",)
INDEX: Any = {"dims": 3, "embed": count_words, "fields": ["text"]}


def found(items: list[SearchItem]) -> list[str]:
    return [item.key for item in items]


def test_the_most_similar_come_first_and_those_without_vectors_last(
    make_store: MakeStore,
) -> None:
    store = make_store(index=INDEX)
    store.put(PETS, "unindexed", {"text": "cat"}, index=False)
    store.put(PETS, "none", {"other": "cat"})
    store.put(PETS, "dog", {"text": "dog"})
    store.put(PETS, "cat", {"text": "cat cat"})
    store.put(("other",), "both", {"text": "cat dog"})

    items = store.search((), query="cat")

    assert found(items) == ["cat", "both", "dog", "unindexed", "none"]
    scores = [item.score for item in items]
    assert scores == [pytest.approx(1), pytest.approx(0.5**0.5), pytest.approx(0), None, None]
    assert found(store.search(PETS, query="cat")) == ["cat", "dog", "unindexed", "none"]
    assert [item.score for item in store.search(PETS)] == [None] * 4


def test_pages_and_filters_come_after_ranking(make_store: MakeStore) -> None:
    store = make_store(index=INDEX)
    for number in range(20):
        text = "cat " * (number + 1) + "dog"
        store.put(PETS, f"{number:02}", {"text": text, "n": number}, None if number else False)
    ranking = [f"{number:02}" for number in range(19, 0, -1)] + ["00"]

    pages = [found(store.search((), query="cat", limit=6, offset=at)) for at in (0, 6, 12, 18, 24)]
    even = {"n": {"$lt": 10}}
    filtered = [
        found(store.search((), query="cat", filter=even, limit=4, offset=at)) for at in (0, 4, 8)
    ]

    assert list(chain(*pages)) == ranking
    assert [len(page) for page in pages] == [6, 6, 6, 2, 0]
    assert list(chain(*filtered)) == [key for key in ranking if int(key) < 10]


def test_the_best_of_the_vectors_of_an_item_counts(make_store: MakeStore) -> None:
    store = make_store(index={**INDEX, "fields": ["texts[*]", "title"]})
    store.put(PETS, "many", {"texts": ["dog", "cat", "car"], "title": "dog"})
    store.put(PETS, "one", {"texts": ["cat dog"]})
    store.put(PETS, "own", {"texts": ["cat"], "deep": {"text": "car"}}, index=["deep.text"])

    items = store.search((), query="cat")

    assert found(items) == ["many", "one", "own"]
    assert [item.score for item in items] == pytest.approx([1, 0.5**0.5, 0])


def test_a_search_sees_each_change_of_any_process(redis_url: str) -> None:
    with RedisStore(redis_url, index=INDEX) as one, RedisStore(redis_url, index=INDEX) as other:

        def seen() -> list[tuple[str, float | None]]:
            items = one.search((), query="cat")
            return [(i.key, i.score if i.score is None else round(i.score, 3)) for i in items]

        other.put(PETS, "a", {"text": "dog"})
        assert seen() == [("a", 0)]
        other.put(PETS, "a", {"text": "cat"})
        assert seen() == [("a", 1)]
        other.put(PETS, "b", {"text": "cat"}, ttl=1)
        assert seen() == [("a", 1), ("b", 1)]
        other.put(PETS, "a", {"text": "cat"}, index=False)
        assert seen() == [("b", 1), ("a", None)]
        age(other, 2)
        other.sweep_ttl()
        assert seen() == [("a", None)]
        other.put(PETS, "a", {"text": "car"})
        other.delete(PETS, "a")
        other.put(PETS, "a", {"text": "cat"})
        assert seen() == [("a", 1)]
        other.batch([PutOp(PETS, "a", None), PutOp(PETS, "c", {"text": "cat"})])
        assert seen() == [("c", 1)]
        other.delete(PETS, "c")
        assert seen() == []


def test_unchanged_vectors_are_read_once(redis_url: str) -> None:
    class Counts(RedisStore):
        read: int = 0

        def _send(self, request: Any) -> Any:
            rows = getattr(request, "rows", ())
            self.read += sum(row[0] == "HGETALL" for row in rows)
            return super()._send(request)

    with Counts(redis_url, index=INDEX) as store:
        store.batch([PutOp((str(i % 3),), str(i), {"text": "cat"}) for i in range(30)])
        for _ in range(3):
            assert len(store.search((), query="cat", limit=50)) == 30
        assert store.read == 3

        store.put(("1",), "new", {"text": "cat"})
        store.put(("1",), "text only", {"text": "cat"}, index=False)
        assert len(store.search((), query="cat", limit=50)) == 32
        assert store.read == 4


def test_what_is_over_is_not_found_by_meaning(make_store: MakeStore) -> None:
    store = make_store(index=INDEX, ttl={"omit_expired": True})
    store.put(PETS, "short", {"text": "cat"}, ttl=1)
    store.put(PETS, "long", {"text": "dog cat"})
    age(store, 2)

    assert found(store.search((), query="cat", limit=1)) == ["long"]


def test_a_query_without_an_index_is_a_plain_search(store: RedisStore) -> None:
    store.put(PETS, "a", {"text": "dog"})
    store.put(PETS, "b", {"text": "cat"})

    assert [(i.key, i.score) for i in store.search((), query="cat")] == [("a", None), ("b", None)]


def test_vectors_of_another_length_are_an_error_that_says_what_to_do(redis_url: str) -> None:
    def ones(dims: int) -> Any:
        def embed(texts: Sequence[str]) -> list[list[float]]:
            return [[1.0] * dims for _ in texts]

        return {"dims": dims, "embed": embed}

    with RedisStore(redis_url, index=ones(3)) as store:
        store.batch([PutOp(PETS, str(i), {}) for i in range(6)])
    for dims in (1, 2, 4, 7, 11):
        with RedisStore(redis_url, index=ones(dims)) as store:
            with pytest.raises(ConfigurationError, match=f"dims={dims}, and .* \\(one of 3\\)"):
                store.search((), query="x")
            assert len(store.search(())) == 6


numbers = st.floats(-1e3, 1e3).map(lambda number: 0.0 if abs(number) < 1e-3 else number)
vectors = st.lists(numbers, min_size=4, max_size=4)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(vectors, min_size=1, max_size=3), max_size=8), vectors)
def test_scores_are_the_best_cosines(items: list[list[list[float]]], query: list[float]) -> None:
    index: Any = {"dims": 4, "embed": read_numbers, "fields": ["texts[*]"]}
    store = InMemoryStore(index=index)
    store.batch(
        [
            PutOp((str(at % 2),), str(at), {"texts": [json.dumps(vector) for vector in item]})
            for at, item in enumerate(items)
        ]
    )

    hits = store.search((), query=json.dumps(query), limit=100)

    best = {str(at): max(cosine(v, query) for v in item) for at, item in enumerate(items)}
    assert {hit.key: hit.score for hit in hits} == pytest.approx(best, abs=1e-6)
    scores = [hit.score or 0.0 for hit in hits]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1, 1e30, 1e300])
def test_the_length_of_a_vector_does_not_count(scale: float) -> None:
    blobs = {b"a": pack([[3 * scale, 4 * scale]]), b"b": pack([[0, 0]])}

    matrix = Matrix.of(b"1", blobs, 2)

    query = np.asarray([0.6, 0.8], dtype=np.float32)
    assert matrix.scores(query).tolist() == [pytest.approx(1), 0]
    assert matrix.keys == ("a", "b")


def test_the_cache_keeps_what_was_used_last() -> None:
    def matrix(version: bytes) -> Matrix:
        return Matrix.of(version, {b"k": pack([[1.0] * 8])}, 8)  # 32 bytes

    cache = MatrixCache(limit=70)
    for digest in ("a", "b"):
        cache.put(digest, matrix(b"1"))
    cache.get("a", b"1")
    cache.put("c", matrix(b"1"))

    assert cache.get("b", b"1") is None
    assert cache.get("a", b"1") is not None
    assert cache.get("a", b"2") is None
    cache.put("a", matrix(b"2"))
    assert cache.get("a", b"2") is not None
    assert cache.get("c", b"1") is not None
    cache.put("big", Matrix.of(b"1", {b"k": pack([[1.0] * 80])}, 80))
    assert cache.get("big", b"1") is None


def test_a_vector_that_lost_its_item_is_not_found(redis_url: str, redis_client: Any) -> None:
    with RedisStore(redis_url, index=INDEX) as store:
        store.put(PETS, "a", {"text": "cat"})
        store.put(PETS, "b", {"text": "cat"})
        redis_client.hdel(StoreKeys().items(Space.of(PETS).digest), "a")

        assert found(store.search((), query="cat")) == ["b"]


def fast_enough(search: Callable[[], list[SearchItem]], key: str) -> bool:
    """Whether one of many searches is within the bar: others of the machine are not measured."""
    for _ in range(40):
        start = time.perf_counter()
        [hit] = search()
        seconds = time.perf_counter() - start
        assert hit.key == key
        if seconds <= 0.1:
            return True
    return False


def test_5000_vectors_of_384_are_searched_in_100_ms(redis_url: str) -> None:
    source = random.Random(4)
    table = {str(i): [source.gauss(0, 1) for _ in range(384)] for i in range(5001)}
    query = "5000"
    best = max(list(table)[:5000], key=lambda text: cosine(table[text], table[query]))

    def embed(texts: Sequence[str]) -> list[list[float]]:
        return [table[text] for text in texts]

    def search(store: RedisStore, filter: Any = None) -> list[SearchItem]:
        return store.search(("pets",), query=query, filter=filter, limit=1)

    index: Any = {"dims": 384, "embed": embed, "fields": ["text"]}
    with RedisStore(redis_url, index=index) as store:
        store.batch([PutOp(PETS, str(i), {"text": str(i), "n": i}) for i in range(5000)])

        assert fast_enough(lambda: search(store), best)
        assert fast_enough(lambda: search(store, {"text": best}), best)

    def search_for_the_first_time() -> list[SearchItem]:
        with RedisStore(redis_url, index=index) as fresh:
            return search(fresh)

    assert fast_enough(search_for_the_first_time, best)
