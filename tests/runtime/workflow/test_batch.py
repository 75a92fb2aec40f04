"""Several inputs at once."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from penstock.runtime import Command, InMemorySaver, RedisSaver, entrypoint, interrupt, task
from penstock.runtime.errors import ConfigurationError
from tests.runtime.flows import Calls, ids, thread
from tests.support.drive import Drive

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")


@entrypoint()
def double(x: int) -> int:
    if x < 0:
        raise ValueError(x)
    return 2 * x


@entrypoint()
async def adouble(x: int) -> int:
    if x < 0:
        raise ValueError(x)
    return 2 * x


def batch(kind: str, *args: Any, **options: Any) -> Any:
    if kind == "sync":
        return double.batch(*args, **options)
    return asyncio.run(adouble.abatch(*args, **options))


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_results_are_in_the_order_of_the_inputs(kind: str) -> None:
    assert batch(kind, range(50)) == [2 * x for x in range(50)]
    assert batch(kind, []) == []
    assert batch(kind, [1, 2], {"max_concurrency": 1}) == [2, 4]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_an_error_is_raised_or_among_the_results(kind: str) -> None:
    with pytest.raises(ValueError, match="-1"):
        batch(kind, [1, -1, 2])

    one, error, two = batch(kind, [1, -1, 2], return_exceptions=True)
    assert (one, two) == (2, 4)
    assert isinstance(error, ValueError)


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_each_input_may_have_a_config_of_its_own(saver: RedisSaver, kind: str) -> None:
    @entrypoint(checkpointer=saver)
    def main(x: int, *, previous: int = 0) -> int:
        return x + (previous or 0)

    configs = [thread("a"), thread("b"), thread("c")]

    def run(inputs: list[int], configs: list[Any]) -> list[int]:
        if kind == "sync":
            return main.batch(inputs, configs)
        return asyncio.run(main.abatch(inputs, configs))

    assert run([1, 2, 3], configs) == [1, 2, 3]
    assert run([1, 2, 3], configs) == [2, 4, 6]
    with pytest.raises(ConfigurationError, match="2 inputs and 3 configs"):
        run([1, 2], configs)


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_no_more_run_at_once_than_max_concurrency(kind: str) -> None:
    lock = threading.Lock()
    now = most = 0

    def enter(by: int) -> None:
        nonlocal now, most
        with lock:
            now += by
            most = max(most, now)

    @entrypoint()
    def main(x: int) -> int:
        enter(1)
        time.sleep(0.01)
        enter(-1)
        return x

    config = {"max_concurrency": 2}
    if kind == "sync":
        main.batch(range(8), config)
    else:
        asyncio.run(main.abatch(range(8), config))

    assert most == 2


def test_results_come_as_they_complete() -> None:
    first = threading.Event()

    @entrypoint()
    def main(x: int) -> int:
        if x == 0:
            assert first.wait(10)
        return x * 10

    seen: list[tuple[int, int]] = []
    for index, result in main.batch_as_completed([0, 1]):
        seen.append((index, result))
        first.set()

    assert seen == [(1, 10), (0, 0)]


def test_results_come_as_they_complete_on_the_loop() -> None:
    async def follow() -> list[tuple[int, Any]]:
        first = asyncio.Event()

        @entrypoint()
        async def main(x: int) -> int:
            if x == 0:
                await first.wait()
            if x == 2:
                raise LookupError
            return x * 10

        seen: list[tuple[int, Any]] = []
        async for index, result in main.abatch_as_completed([0, 1, 2], return_exceptions=True):
            told: Any = result
            seen.append((index, type(told) if isinstance(told, Exception) else told))
            if len(seen) == 2:
                first.set()
        return seen

    seen = asyncio.run(follow())
    assert seen[-1] == (0, 0)
    assert set(seen[:2]) == {(1, 10), (2, LookupError)}


def test_leaving_a_batch_on_the_loop_cancels_what_is_left() -> None:
    calls = Calls()

    @entrypoint()
    async def main(x: int) -> int:
        try:
            await asyncio.sleep(60 if x else 0)
        finally:
            calls(x)
        return x

    async def leave() -> None:
        results = main.abatch_as_completed([0, 1, 2])
        assert await anext(results) == (0, 0)
        await results.aclose()  # type: ignore[attr-defined]

    asyncio.run(leave())
    assert sorted(calls.made) == [0, 1, 2]


def test_options_reach_every_run() -> None:
    outputs = double.batch([1, 2], version="v2")
    assert [output.value for output in outputs] == [2, 4]  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="'colour'"):
        double.batch([1], colour="red")


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_batch_inside_a_run_is_replayed(drive: Drive, kind: str) -> None:
    calls = Calls()
    broken = ["yes"]

    @task
    def work(x: int) -> int:
        calls(x)
        return x

    @entrypoint()
    def child(x: int) -> int:
        return work(x).result() * 2

    @entrypoint()
    def main(xs: list[int]) -> Any:
        found = child.batch(xs)
        if broken:
            raise LookupError
        return found

    @entrypoint(name="main")
    async def amain(xs: list[int]) -> Any:
        found = await child.abatch(xs)
        if broken:
            raise LookupError
        return found

    flow: Any = main if kind == "sync" else amain
    with pytest.raises(LookupError):
        drive(flow, [1, 2, 3])
    broken.clear()

    assert drive(flow, None) == [2, 4, 6]
    assert sorted(calls.made) == [1, 2, 3]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_all_questions_of_a_batch_inside_a_run_are_asked_at_once(drive: Drive, kind: str) -> None:
    @task
    def work(x: int) -> int:
        time.sleep(0.01 * x)
        return x

    @entrypoint()
    def child(x: int) -> Any:
        return [work(x).result(), interrupt(x)]

    @entrypoint()
    def main(xs: list[int]) -> Any:
        return child.batch(xs)

    @entrypoint(name="main")
    async def amain(xs: list[int]) -> Any:
        return await child.abatch(xs)

    flow: Any = main if kind == "sync" else amain
    questions = ids(drive(flow, [1, 2, 3]))
    assert sorted(questions) == [1, 2, 3]

    answers = {name: f"to {question}" for question, name in questions.items()}
    assert drive(flow, Command(resume=answers)) == [[x, f"to {x}"] for x in (1, 2, 3)]


def test_those_of_a_batch_that_have_not_begun_as_the_first_asks_ask_too(drive: Drive) -> None:
    @entrypoint()
    def child(x: int) -> Any:
        return interrupt(x)

    @entrypoint()
    def main(xs: list[int]) -> Any:
        return child.batch(xs, {"max_concurrency": 1})

    assert sorted(ids(drive(main, [1, 2, 3]))) == [1, 2, 3]


def test_runs_of_a_batch_on_one_thread_refuse_each_other() -> None:
    at_work, go_on = threading.Event(), threading.Event()

    @entrypoint(checkpointer=InMemorySaver())
    def main(x: int) -> int:
        at_work.set()
        assert go_on.wait(10)
        return x

    def release() -> None:
        assert at_work.wait(10)
        time.sleep(0.2)
        go_on.set()

    threading.Thread(target=release).start()
    results: list[Any] = main.batch([1, 2, 3], thread("one"), return_exceptions=True)

    assert sorted(type(each).__name__ for each in results) == ["ThreadBusyError"] * 2 + ["int"]
