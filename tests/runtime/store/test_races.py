"""Stores of several processes' worth of threads and loops at once, on a real server."""

from __future__ import annotations

import asyncio
import random
import threading
from typing import Any, Literal

from penstock.runtime.store.redis import RedisStore
from tests.runtime.store.aging import age
from tests.runtime.store.embedders import count_words
from tests.runtime.store.indexes import assert_indexes_agree

INDEX: Any = {"dims": 3, "embed": count_words, "fields": ["text"]}


def write(store: RedisStore, seed: int) -> None:
    source = random.Random(seed)
    for number in range(120):
        space, key = (str(source.randrange(4)),), str(source.randrange(6))
        word = source.choice(["put", "put", "ttl", "text", "delete", "search", "sweep"])
        if word in ("put", "ttl", "text"):
            value = {"text": source.choice(["cat", "dog", "car"]), "n": number}
            index: Literal[False] | None = False if word == "text" else None
            store.put(space, key, value, index, ttl=0.02 / 60 if word == "ttl" else None)
        elif word == "delete":
            store.delete(space, key)
        elif word == "search":
            for hit in store.search(space[: number % 2], query="cat", limit=4):
                assert hit.value["text"] in ("cat", "dog", "car")
        else:
            store.sweep_ttl()


def test_indexes_agree_after_writers_raced(redis_url: str) -> None:
    with RedisStore(redis_url, index=INDEX) as one, RedisStore(redis_url, index=INDEX) as other:
        errors: list[BaseException] = []

        def guarded(store: RedisStore, seed: int) -> None:
            try:
                write(store, seed)
            except BaseException as error:
                errors.append(error)

        threads = [
            threading.Thread(target=guarded, args=(store, seed))
            for seed, store in enumerate([one, other] * 3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert errors == []
        assert_indexes_agree(one)
        everything = {(i.namespace, i.key): i for i in one.search((), query="cat", limit=999)}
        again = {(i.namespace, i.key): i for i in other.search((), query="cat", limit=999)}
        assert everything == again
        for space in everything.values():
            fresh = count_words([space.value["text"]])[0]
            assert space.score is None or round(space.score) == fresh[0]
        age(one, 1)
        one.sweep_ttl()
        assert_indexes_agree(one)
        for namespace, key in everything:
            one.delete(namespace, key)
        assert_indexes_agree(one)
        assert one.list_namespaces() == []


def test_puts_of_one_key_from_many_tasks_leave_one_of_the_values(redis_url: str) -> None:
    async def main() -> None:
        async with RedisStore(redis_url) as store:
            await asyncio.gather(*(store.aput(("a",), "k", {"n": n, "m": n}) for n in range(40)))
            item = await store.aget(("a",), "k")
            assert item is not None
            assert item.value["n"] == item.value["m"]
            assert len(await store.asearch(())) == 1
            assert_indexes_agree(store)

    asyncio.run(main())
