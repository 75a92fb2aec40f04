from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Sequence
from types import ModuleType
from typing import Any, cast

import pytest

from penstock.publisher.errors import ConfigurationError
from penstock.runtime.store.item import PutOp
from penstock.runtime.store.memory import InMemoryStore
from penstock.runtime.store.redis import RedisStore
from penstock.runtime.store.search.embedding import Index
from tests.runtime.store.embedders import count_words

SPACE = ("pets",)


class Objects:
    """Embeddings as an object has them."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.asked.append(texts)
        return count_words(texts)

    def embed_query(self, text: str) -> list[float]:
        self.asked.append(text)
        return count_words([text])[0]


class AsyncObjects(Objects):
    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        self.asked.append(("a", texts))
        return count_words(texts)

    async def aembed_query(self, text: str) -> list[float]:
        self.asked.append(("a", text))
        return count_words([text])[0]


class Callable:
    async def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        await asyncio.sleep(0)
        return count_words(texts)


async def acount_words(texts: Sequence[str]) -> list[list[float]]:
    await asyncio.sleep(0)
    return count_words(texts)


def indirect(texts: Sequence[str]) -> Any:
    return acount_words(texts)


EMBEDS = [count_words, acount_words, indirect, Callable(), Objects(), AsyncObjects()]


def fill_and_search(store: RedisStore) -> list[str]:
    store.put(SPACE, "dog", {"text": "dog"})
    store.put(SPACE, "cat", {"text": "cat cat"})
    return [item.key for item in store.search((), query="a cat", limit=1)]


async def afill_and_search(store: RedisStore) -> list[str]:
    await store.aput(SPACE, "dog", {"text": "dog"})
    await store.aput(SPACE, "cat", {"text": "cat cat"})
    return [item.key for item in await store.asearch((), query="a cat", limit=1)]


@pytest.mark.parametrize("embed", EMBEDS)
def test_every_kind_of_embed_function_serves_sync_and_async_code(embed: Any) -> None:
    def store() -> RedisStore:
        return InMemoryStore(index={"dims": 3, "embed": embed})

    async def sync_in_a_loop() -> list[str]:
        return fill_and_search(store())

    assert fill_and_search(store()) == ["cat"]
    assert asyncio.run(afill_and_search(store())) == ["cat"]
    assert asyncio.run(sync_in_a_loop()) == ["cat"]


def test_an_object_gets_documents_together_and_a_query_alone() -> None:
    embeddings = AsyncObjects()
    store = InMemoryStore(index={"dims": 3, "embed": embeddings, "fields": ["t"]})

    store.batch([PutOp(SPACE, str(i), {"t": text}) for i, text in enumerate(["a", "b", "a"])])
    store.search((), query="q")
    asyncio.run(store.aput(SPACE, "x", {"t": "c"}))
    asyncio.run(store.asearch((), query="r"))

    assert embeddings.asked == [["a", "b"], "q", ("a", ["c"]), ("a", "r")]


def test_an_embed_function_that_blocks_does_not_block_the_loop() -> None:
    threads: list[int] = []

    def embed(texts: Sequence[str]) -> list[list[float]]:
        threads.append(threading.get_ident())
        return count_words(texts)

    async def main() -> None:
        await InMemoryStore(index={"dims": 3, "embed": embed}).aput(SPACE, "x", {"t": "cat"})

    asyncio.run(main())
    assert threads and threads[0] != threading.get_ident()


def test_nothing_is_embedded_that_is_not_needed() -> None:
    asked: list[list[str]] = []

    def embed(texts: list[str]) -> list[list[float]]:
        asked.append(texts)
        return count_words(texts)

    store = InMemoryStore(index={"dims": 3, "embed": embed, "fields": ["t"]})
    store.put(SPACE, "a", {"t": "cat"}, index=False)
    store.put(SPACE, "b", {"other": "cat"})
    store.put(SPACE, "c", {"t": "cat"}, index=[])
    store.search(())
    store.search((), query="")
    store.get(SPACE, "a")
    store.delete(SPACE, "a")

    assert asked == []


@pytest.mark.parametrize(
    ("vectors", "why"),
    [
        ([[1.0, 2.0]], r"a vector of 2 numbers; the index is set to dims=3"),
        ([], r"was given 1 texts and returned 0 vectors"),
        ([[1.0, 2.0, float("nan")]], "not finite"),
        ([[1.0, 2.0, float("inf")]], "not finite"),
    ],
)
def test_wrong_vectors_are_an_error_and_nothing_is_stored(vectors: Any, why: str) -> None:
    store = InMemoryStore(index={"dims": 3, "embed": lambda _: vectors})

    with pytest.raises(ValueError, match=why):
        store.put(SPACE, "x", {"t": "cat"})
    assert store.search(()) == []


def test_an_error_of_the_embed_function_comes_out_and_nothing_is_stored() -> None:
    def embed(_: list[str]) -> list[list[float]]:
        raise TimeoutError("the model is busy")

    store = InMemoryStore(index={"dims": 3, "embed": embed})

    with pytest.raises(TimeoutError, match="the model is busy"):
        store.put(SPACE, "x", {"t": "cat"})
    assert store.search(()) == []


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"embed": count_words}, "dims of an index"),
        ({"dims": 0, "embed": count_words}, "dims of an index"),
        ({"dims": True, "embed": count_words}, "dims of an index"),
        ({"dims": 3}, "embed of an index is a function"),
        ({"dims": 3, "embed": 7}, "embed of an index is a function"),
        ({"dims": 3, "embed": count_words, "fields": ["a["]}, "fields of an index: the path"),
        ({"dims": 3, "embed": count_words, "field": ["a"]}, "the index config has no 'field'"),
        ({"dims": 3, "embed": "none:such"}, "is a name of LangChain, which is not installed"),
    ],
)
def test_an_index_config_that_cannot_be_read_is_an_error(
    config: Any, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "langchain.embeddings", None)
    with pytest.raises(ConfigurationError, match=why):
        InMemoryStore(index=config)


def test_a_name_of_a_model_is_looked_up_in_langchain(monkeypatch: pytest.MonkeyPatch) -> None:
    def init_embeddings(name: str) -> Objects | None:
        return Objects() if name == "maker:model" else None

    module = ModuleType("langchain.embeddings")
    module.__dict__["init_embeddings"] = init_embeddings
    monkeypatch.setitem(sys.modules, "langchain", ModuleType("langchain"))
    monkeypatch.setitem(sys.modules, "langchain.embeddings", module)

    store = InMemoryStore(index={"dims": 3, "embed": "maker:model"})

    assert fill_and_search(store) == ["cat"]


def test_numpy_is_needed_by_an_index_only() -> None:
    code = """
import sys
sys.modules["numpy"] = None
from penstock.publisher.errors import ConfigurationError
from penstock.runtime.store.memory import InMemoryStore
store = InMemoryStore()
store.put(("a",), "x", {"n": 1})
assert store.search((), query="x")[0].value == {"n": 1}
try:
    InMemoryStore(index={"dims": 3, "embed": len})
except ConfigurationError as error:
    assert "penstock[semantic]" in str(error), error
else:
    raise SystemExit("no error")
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_config_may_leave_fields_out() -> None:
    index = Index.of({"dims": 3, "embed": count_words, "fields": None})

    assert index is not None
    assert index.texts({"a": "ü"}, None) == ['{"a": "ü"}']
    assert index.texts({"a": "ü"}, ["a"]) == ["ü"]
    assert index.texts({"a": "ü"}, False) == []
    assert Index.of(None) is None
    with pytest.raises(ValueError, match="path"):
        InMemoryStore(index={"dims": 3, "embed": cast(Any, count_words)}).put(
            SPACE, "x", {"t": "cat"}, index=["t["]
        )
