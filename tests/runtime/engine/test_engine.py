"""How runs end: cancelled from outside, by the loop, by time, or in one another's way."""

from __future__ import annotations

import asyncio
import threading
import time
from functools import partial
from typing import Any

import pytest

from penstock.runtime import (
    Client,
    Command,
    InMemorySaver,
    RedisSaver,
    entrypoint,
    get_config,
    get_stream_writer,
    interrupt,
    task,
)
from penstock.runtime.errors import (
    EmptyInputError,
    RunCancelledError,
    ThreadBusyError,
)
from penstock.runtime.journal.checkpointer import Opening, Order
from penstock.runtime.settings import Settings
from tests.runtime.flows import Calls, asked, in_background, thread
from tests.support.drive import Drive


@task
def double(x: int) -> int:
    return 2 * x


@task
async def adouble(x: int) -> int:
    return 2 * x


# -- cancelled by the loop -----------------------------------------------------------------------


def test_a_cancelled_ainvoke_can_go_on_and_reuses_what_was_done(saver: RedisSaver) -> None:
    calls = Calls()
    reached = asyncio.Event()

    @task
    async def work(x: int) -> int:
        calls(x)
        return x

    @entrypoint(checkpointer=saver)
    async def main(_: str) -> list[int]:
        done = [await work(1)]
        if not reached.is_set():
            reached.set()
            await asyncio.sleep(30)
        return [*done, await work(2)]

    async def run() -> Any:
        running = asyncio.create_task(main.ainvoke("x", thread()))
        await reached.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return await main.ainvoke(None, thread())

    assert asyncio.run(run()) == [1, 2]
    assert calls.made == [1, 2]


def test_a_timeout_around_ainvoke_stops_its_steps(saver: RedisSaver) -> None:
    ended = Calls()

    @task
    async def sleep() -> None:
        begun.append("step")
        try:
            await asyncio.sleep(30)
        finally:
            ended("step")

    @entrypoint(checkpointer=saver)
    async def main(_: str) -> None:
        await asyncio.gather(sleep(), sleep())

    async def run() -> None:
        running = asyncio.create_task(main.ainvoke("x", thread()))
        while len(begun) < 2:
            await asyncio.sleep(0.001)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(running, 0.001)

    begun: list[str] = []
    asyncio.run(run())

    assert ended.made == ["step", "step"]


class SlowToOpen(InMemorySaver):
    """A saver whose Redis takes its time."""

    def open(self, order: Order) -> Opening:
        """Open late."""
        opening = super().open(order)
        time.sleep(0.05)
        return opening


@pytest.mark.parametrize("method", ["ainvoke", "astream"])
def test_an_ainvoke_cancelled_while_it_opens_leaves_the_thread_free(method: str) -> None:
    saver = SlowToOpen()

    @entrypoint(checkpointer=saver)
    async def main(x: int) -> int:
        return x

    async def call() -> Any:
        if method == "ainvoke":
            return await main.ainvoke(1, thread())
        return [chunk async for chunk in main.astream(1, thread())]

    async def run() -> Any:
        await main.ainvoke(0, thread("warm"))
        running = asyncio.create_task(call())
        await asyncio.sleep(0.03)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await asyncio.sleep(0.08)
        return await main.ainvoke(2, thread())

    assert asyncio.run(run()) == 2


def test_cancelling_a_run_that_waits_for_its_steps_before_it_suspends(saver: RedisSaver) -> None:
    begun = threading.Event()

    @task
    def slow() -> int:
        begun.set()
        time.sleep(0.1)
        return 1

    @entrypoint(checkpointer=saver)
    async def main(x: int) -> Any:
        if x == 0:
            return None
        future = slow()
        answer = interrupt("?")
        return [await future, answer]

    async def run() -> Any:
        await main.ainvoke(0, thread("warm"))
        running = asyncio.create_task(main.ainvoke(1, thread()))
        while not begun.is_set():
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return await main.ainvoke(None, thread())

    assert asked(asyncio.run(run())) == ["?"]


# -- cancelled by a client -----------------------------------------------------------------------


def test_cancelling_a_run_at_work_in_this_process_stops_it_and_frees_the_thread() -> None:
    saver = InMemorySaver(settings=Settings(renew=0.02, lease=2))
    client = Client(saver.connection)

    @task
    def nap(x: int) -> int:
        time.sleep(0.01)
        return x

    @entrypoint(checkpointer=saver)
    def main(x: int) -> int:
        if x == 1:
            client.get(get_config()["configurable"]["run_id"]).cancel()
        for i in range(100):
            nap(i).result()
            if x == 2:
                break
        return x

    with pytest.raises(RunCancelledError):
        main.invoke(1, thread())

    assert [run.status for run in client.runs()] == ["cancelled"]
    assert main.invoke(2, thread()) == 2


def test_cancelling_a_run_that_waits_ends_it(saver: RedisSaver) -> None:
    client = Client(saver.connection)

    @entrypoint(checkpointer=saver)
    def main(x: int) -> Any:
        return [get_config()["configurable"]["run_id"], interrupt("?")] if x else x

    main.invoke(1, thread())
    (run,) = client.runs()
    client.get(run.run_id).cancel()

    with pytest.raises((EmptyInputError, RunCancelledError)):
        main.invoke(None, thread())
    assert main.invoke(0, thread()) == 0


# -- in one another's way ------------------------------------------------------------------------


def test_a_second_run_on_a_busy_thread_is_refused_and_the_first_is_not_disturbed(
    saver: RedisSaver,
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    @entrypoint(checkpointer=saver)
    def main(x: str) -> str:
        begun.set()
        assert go_on.wait(3)
        return x

    first = in_background(lambda: main.invoke("first", thread()))
    assert begun.wait(3)
    for value in ("second", None):
        with pytest.raises(ThreadBusyError):
            main.invoke(value, thread())
    go_on.set()

    assert first.result(3) == "first"
    assert main.invoke("third", thread()) == "third"


def test_of_many_at_once_on_one_thread_one_runs_and_the_others_are_refused(
    saver: RedisSaver,
) -> None:
    go_on = threading.Event()
    running = Calls()

    @entrypoint(checkpointer=saver)
    def main(x: int) -> int:
        running(x)
        assert go_on.wait(3)
        return x

    go_on.set()
    main.invoke(-1, thread("warm"))
    go_on.clear()
    attempts = [in_background(partial(main.invoke, x, thread())) for x in range(6)]
    refused = [attempt for attempt in attempts if _settles(attempt)]
    go_on.set()

    errors = [attempt.exception(3) for attempt in attempts]
    assert len(refused) == 5
    assert sum(isinstance(error, ThreadBusyError) for error in errors) == 5
    assert len(running.made) == 2


def test_who_is_overtaken_before_its_run_begins_is_told_so(saver: RedisSaver) -> None:
    @entrypoint(checkpointer=saver)
    async def main(x: int) -> int:
        return x

    async def several() -> list[Any]:
        calls = (main.ainvoke(x, thread()) for x in range(8))
        return await asyncio.gather(*calls, return_exceptions=True)

    errors = [str(each) for each in asyncio.run(several()) if isinstance(each, Exception)]

    assert all("is busy" in each or "replaced before it began" in each for each in errors)


def _settles(attempt: Any) -> bool:
    try:
        attempt.exception(0.4)
    except TimeoutError:
        return False
    return True


def test_runs_on_different_threads_do_not_disturb_each_other(saver: RedisSaver) -> None:
    barrier = threading.Barrier(5)

    @entrypoint(checkpointer=saver)
    def main(x: int, *, previous: Any = None) -> Any:
        double(x).result()
        barrier.wait(3)
        return [x, previous]

    def turn(number: int) -> list[Any]:
        futures = [
            in_background(partial(main.invoke, 10 * number + x, thread(str(x)))) for x in range(5)
        ]
        return [future.result(3) for future in futures]

    assert turn(0) == [[x, None] for x in range(5)]
    assert turn(1) == [[10 + x, [x, None]] for x in range(5)]


def test_many_runs_on_one_loop(any_saver: RedisSaver | None) -> None:
    @entrypoint(checkpointer=any_saver)
    async def main(x: int) -> int:
        await asyncio.sleep(0.001)
        return sum(await asyncio.gather(*[adouble(x) for _ in range(3)]))

    async def run() -> list[Any]:
        return list(await asyncio.gather(*[main.ainvoke(x, thread(str(x))) for x in range(20)]))

    assert asyncio.run(run()) == [6 * x for x in range(20)]


def test_a_loop_keeps_its_own_task_factory_after_a_run(any_saver: RedisSaver | None) -> None:
    made: list[str] = []

    def factory(loop: Any, coro: Any, **options: Any) -> Any:
        made.append("task")
        return asyncio.Task(coro, loop=loop, **options)

    @entrypoint(checkpointer=any_saver)
    async def main(x: int) -> int:
        return int(await asyncio.create_task(_same(x)))

    async def _same(x: int) -> int:
        return x

    async def run() -> Any:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(factory)
        before = len(made)
        result = await main.ainvoke(1, thread())
        assert len(made) > before
        return result, loop.get_task_factory() is factory

    assert asyncio.run(run()) == (1, True)


def test_a_run_goes_on_in_another_saver_object_over_the_same_redis(
    redis_saver: RedisSaver,
) -> None:
    calls = Calls()

    def make(saver: RedisSaver) -> Any:
        @task
        def work(x: int) -> int:
            calls(x)
            return x

        @entrypoint(checkpointer=saver)
        def main(_: str) -> Any:
            return [work(1).result(), interrupt("?"), work(2).result()]

        return main

    make(redis_saver).invoke("x", thread())

    other = RedisSaver(redis_saver.connection)
    assert make(other).invoke(Command(resume="a"), thread()) == [1, "a", 2]
    assert calls.made == [1, 2]


@pytest.mark.filterwarnings("ignore:no live worker has announced")
def test_what_is_kept_of_an_attempt_that_is_over_fails_the_next_run_and_not_its_lease(
    drive: Drive,
) -> None:
    kept: list[Any] = []

    @entrypoint()
    def main(word: str) -> str:
        kept.append(get_stream_writer())
        kept[0](word)
        return word

    assert drive(main, "first") == "first"
    with pytest.raises(RuntimeError, match="kept of an attempt that is over"):
        drive(main, "second")
