from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from penstock.runtime.store.batched import AsyncBatchedBaseStore
from penstock.runtime.store.item import Item, Op, Result
from penstock.runtime.store.memory import InMemoryStore
from penstock.runtime.store.namespace import InvalidNamespaceError

SPACE = ("a",)


class Batched(AsyncBatchedBaseStore):
    """Collects calls for an in-memory store, and counts what arrives there."""

    supports_ttl = True

    def __init__(self) -> None:
        super().__init__()
        self.inner = InMemoryStore()
        self.batches: list[int] = []
        self.error: BaseException | None = None

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        return self.inner.batch(ops)

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        given = list(ops)
        self.batches.append(len(given))
        await asyncio.sleep(0.01)
        if self.error is not None:
            raise self.error
        return await self.inner.abatch(given)


def value_of(item: Item | None) -> Any:
    return item and item.value


def test_calls_of_one_tick_go_together_and_equal_reads_once() -> None:
    store = Batched()

    async def main() -> list[Any]:
        await asyncio.gather(*(store.aput(SPACE, str(i), {"n": i}) for i in range(5)))
        reads = [store.aget(SPACE, str(i % 2)) for i in range(6)]
        searches = [store.asearch((), filter={"n": {"$gt": 1}}) for _ in range(3)]
        return [*await asyncio.gather(*reads), *await asyncio.gather(*searches)]

    results = asyncio.run(main())

    assert [value_of(item) for item in results[:6]] == [{"n": i % 2} for i in range(6)]
    assert [[item.key for item in found] for found in results[6:]] == [["2", "3", "4"]] * 3
    assert store.batches == [5, 2, 1]


def test_a_cancelled_caller_takes_nobody_elses_answer_away() -> None:
    store = Batched()
    store.put(SPACE, "x", {"n": 1})

    async def main() -> None:
        calls = [asyncio.create_task(store.aget(SPACE, "x")) for _ in range(3)]
        await asyncio.sleep(0.001)
        calls[0].cancel()
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert isinstance(results[0], asyncio.CancelledError)
        assert [value_of(item) for item in results[1:] if isinstance(item, Item)] == [{"n": 1}] * 2

    asyncio.run(main())
    assert store.batches == [1]


def test_a_wrong_call_fails_alone() -> None:
    store = Batched()

    async def main() -> list[Any]:
        calls: list[Any] = [
            store.aput(SPACE, "x", {"n": 1}),
            store.asearch((), filter={"n": {"$in": []}}),
            store.adelete(SPACE, "y"),
        ]
        return await asyncio.gather(*calls, return_exceptions=True)

    results = asyncio.run(main())

    assert results[0] is results[2] is None
    assert isinstance(results[1], ValueError)
    assert value_of(store.get(SPACE, "x")) == {"n": 1}
    with pytest.raises(InvalidNamespaceError):
        asyncio.run(store.aput(("a.b",), "x", {}))


def test_a_failure_of_the_store_reaches_every_caller() -> None:
    store = Batched()
    store.error = OSError("not now")

    async def main() -> list[Any]:
        calls = [store.aget(SPACE, str(i)) for i in range(3)]
        return await asyncio.gather(*calls, return_exceptions=True)

    assert asyncio.run(main()) == [store.error] * 3


def test_a_loop_that_ends_cancels_who_waits() -> None:
    store = Batched()

    async def main() -> asyncio.Task[Item | None]:
        call = asyncio.create_task(store.aget(SPACE, "x"))
        await asyncio.sleep(0.001)
        return call

    assert asyncio.run(main()).cancelled()
