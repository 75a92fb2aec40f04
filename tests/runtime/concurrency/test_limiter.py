"""Room for bodies: those that wait for steps of their own do not count."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from penstock.runtime import RedisSaver, entrypoint, task
from tests.runtime.flows import thread


class Gauge:
    """How many bodies run at once, and the most there ever were."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self._lock = threading.Lock()

    def add(self, by: int) -> None:
        with self._lock:
            self.now += by
            self.most = max(self.most, self.now)


@pytest.mark.parametrize("limit", [1, 2, 5])
@pytest.mark.parametrize("kind", ["sync", "async", "mixed"])
def test_at_most_the_limit_of_leaves_run_at_once_at_any_depth(  # noqa: C901
    any_saver: RedisSaver | None, limit: int, kind: str
) -> None:
    gauge = Gauge()

    @task
    def leaf() -> None:
        gauge.add(1)
        time.sleep(0.001)
        gauge.add(-1)

    @task
    async def aleaf() -> None:
        gauge.add(1)
        await asyncio.sleep(0.001)
        gauge.add(-1)

    @task
    def parent() -> int:
        return len([future.result() for future in [leaf() for _ in range(4)]])

    @task
    async def aparent() -> int:
        if kind == "mixed":
            return len(await asyncio.gather(leaf(), aleaf(), leaf(), aleaf()))
        return len(await asyncio.gather(*[aleaf() for _ in range(4)]))

    @entrypoint(checkpointer=any_saver)
    def main(_: str) -> int:
        return sum(future.result() for future in [parent() for _ in range(4)])

    @entrypoint(checkpointer=any_saver)
    async def amain(_: str) -> int:
        return sum(await asyncio.gather(*[aparent() for _ in range(4)]))

    config = thread(max_concurrency=limit)
    if kind == "sync":
        assert main.invoke("x", config) == 16
    else:
        assert asyncio.run(amain.ainvoke("x", config)) == 16

    assert 1 <= gauge.most <= limit


def test_the_limit_is_used(any_saver: RedisSaver | None) -> None:
    together = threading.Barrier(3)

    @task
    def meet() -> int:
        return together.wait(2)

    @entrypoint(checkpointer=any_saver)
    def main(_: str) -> list[int]:
        return sorted(future.result() for future in [meet() for _ in range(3)])

    assert main.invoke("x", thread(max_concurrency=3)) == [0, 1, 2]


def test_a_parent_that_works_between_its_children_gets_its_room_back(
    any_saver: RedisSaver | None,
) -> None:
    @task
    def leaf(x: int) -> int:
        return x

    @task
    def parent(x: int) -> int:
        return sum(leaf(i).result() for i in range(x))

    @entrypoint(checkpointer=any_saver)
    def main(count: int) -> int:
        return sum(future.result() for future in [parent(i) for i in range(count)])

    assert main.invoke(10, thread(max_concurrency=1)) == 120


def test_a_failing_step_leaves_its_room_to_others(any_saver: RedisSaver | None) -> None:
    @task
    def fail(x: int) -> None:
        raise ValueError(x)

    @task
    async def afail(x: int) -> None:
        raise ValueError(x)

    @entrypoint(checkpointer=any_saver)
    def main(_: str) -> int:
        return sum(isinstance(fail(x).exception(), ValueError) for x in range(10))

    @entrypoint(checkpointer=any_saver)
    async def amain(_: str) -> int:
        made: list[Any] = await asyncio.gather(
            *[afail(x) for x in range(10)], return_exceptions=True
        )
        return len(made)

    assert main.invoke("x", thread("a", max_concurrency=2)) == 10
    assert asyncio.run(amain.ainvoke("x", thread("b", max_concurrency=2))) == 10


def test_a_cancelled_step_leaves_its_room_to_others(any_saver: RedisSaver | None) -> None:
    @task
    async def sleep() -> None:
        await asyncio.sleep(30)

    @task
    async def quick(x: int) -> int:
        return x

    @entrypoint(checkpointer=any_saver)
    async def main(_: str) -> list[int]:
        running, queued = sleep(), sleep()
        await asyncio.sleep(0.005)
        for each in (queued, running):
            each.cancel()
        return list(await asyncio.gather(*[quick(x) for x in range(5)]))

    assert asyncio.run(main.ainvoke("x", thread(max_concurrency=1))) == list(range(5))
