"""Call forms, futures, and who runs which body where."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from penstock.runtime import (
    Command,
    RedisSaver,
    RetryPolicy,
    entrypoint,
    get_config,
    get_runtime,
    get_store,
    get_stream_writer,
    interrupt,
    task,
)
from penstock.runtime.errors import OutsideRunError
from tests.runtime.flows import Calls, asked, thread
from tests.support.drive import Drive


@task
def double(x: int) -> int:
    return 2 * x


@task
async def adouble(x: int) -> int:
    await asyncio.sleep(0)
    return 2 * x


@task
def refuse(text: str) -> None:
    raise ValueError(text)


@task
async def arefuse(text: str) -> None:
    raise ValueError(text)


# -- futures in sync code ------------------------------------------------------------------------


def test_a_sync_body_gets_concurrent_futures(any_saver: RedisSaver | None) -> None:
    @entrypoint(checkpointer=any_saver)
    def main(x: int) -> list[Any]:
        future: Any = double(x)
        called: list[bool] = []
        done = concurrent.futures.wait([future]).done
        future.add_done_callback(lambda _: called.append(True))  # pyright: ignore[reportUnknownLambdaType]
        return [
            isinstance(future, concurrent.futures.Future),
            future in done,
            future.done(),
            future.exception(),
            future.result(timeout=1),
            future.result(),
            called,
        ]

    assert main.invoke(4, thread()) == [True, True, True, None, 8, 8, [True]]


def test_work_starts_at_the_call_and_not_at_the_result(any_saver: RedisSaver | None) -> None:
    started = threading.Event()

    @task
    def begin() -> None:
        started.set()

    @entrypoint(checkpointer=any_saver)
    def main(_: str) -> bool:
        begin()
        return started.wait(2)

    assert main.invoke("x", thread())


@pytest.mark.parametrize("collect", ["as_completed", "wait"])
def test_collecting_a_fan_out_with_concurrent_futures(
    any_saver: RedisSaver | None, collect: str
) -> None:
    @entrypoint(checkpointer=any_saver)
    def main(count: int) -> list[int]:
        futures = [double(i) for i in range(count)]
        if collect == "wait":
            done = list(concurrent.futures.wait(futures).done)
        else:
            done = list(concurrent.futures.as_completed(futures))
        return sorted(future.result() for future in done)

    assert main.invoke(50, thread()) == [2 * i for i in range(50)]


def test_a_result_with_a_timeout_raises_timeout_and_the_step_goes_on(
    any_saver: RedisSaver | None,
) -> None:
    release = threading.Event()

    @task
    def wait() -> str:
        return "late" if release.wait(2) else "never"

    @entrypoint(checkpointer=any_saver)
    def main(_: str) -> list[str]:
        future = wait()
        said: list[str] = []
        try:
            future.result(timeout=0.01)
        except TimeoutError:
            said.append("timeout")
        release.set()
        return [*said, future.result()]

    assert main.invoke("x", thread()) == ["timeout", "late"]


def test_an_async_task_in_a_sync_run_is_refused(any_saver: RedisSaver | None) -> None:
    @entrypoint(checkpointer=any_saver)
    def main(x: int) -> int:
        return adouble(x).result()

    with pytest.raises(RuntimeError, match=r"'adouble' is async.*ainvoke"):
        main.invoke(1, thread())


def test_an_async_entrypoint_in_a_sync_call_is_refused(any_saver: RedisSaver | None) -> None:
    @entrypoint(checkpointer=any_saver)
    async def main(x: int) -> int:
        return x

    with pytest.raises(TypeError, match="No synchronous function provided"):
        main.invoke(1, thread())
    with pytest.raises(TypeError, match="No synchronous function provided"):
        list(main.stream(1, thread()))


# -- futures in async code -----------------------------------------------------------------------


def test_a_sync_body_under_ainvoke_may_block_on_sync_and_async_tasks(
    any_saver: RedisSaver | None,
) -> None:
    @entrypoint(checkpointer=any_saver)
    def main(x: int) -> list[Any]:
        made: list[Any] = [double(x), adouble(x)]
        sync, other = made
        kinds = [isinstance(future, concurrent.futures.Future) for future in (sync, other)]
        return [kinds, sync.result(), other.result()]

    assert asyncio.run(main.ainvoke(3, thread())) == [[True, True], 6, 6]


def test_an_async_body_gets_asyncio_futures(any_saver: RedisSaver | None) -> None:
    @entrypoint(checkpointer=any_saver)
    async def main(x: int) -> list[Any]:
        sync: Any = double(x)
        other: Any = adouble(x)
        kinds = [isinstance(future, asyncio.Future) for future in (sync, other)]
        with pytest.raises(asyncio.InvalidStateError):
            other.result()
        return [kinds, await sync, await sync, await other, await other, other.result()]

    assert asyncio.run(main.ainvoke(3, thread())) == [[True, True], 6, 6, 6, 6, 6]


def test_asyncio_collects_sync_and_async_tasks_alike(any_saver: RedisSaver | None) -> None:
    @entrypoint(checkpointer=any_saver)
    async def main(_: str) -> list[Any]:
        gathered = await asyncio.gather(double(1), adouble(2), double(3))
        completed = sorted([await each for each in asyncio.as_completed([adouble(4), double(5)])])
        waited = await asyncio.wait_for(adouble(6), 2)
        async with asyncio.timeout(2):
            timed = await double(7)
        return [gathered, completed, waited, timed]

    assert asyncio.run(main.ainvoke("x", thread())) == [[2, 4, 6], [8, 10], 12, 14]


def test_a_sync_task_of_an_async_body_does_not_block_the_loop(any_saver: RedisSaver | None) -> None:
    release = threading.Event()

    @task
    def wait() -> bool:
        return release.wait(2)

    @entrypoint(checkpointer=any_saver)
    async def main(_: str) -> bool:
        waiting = wait()
        await asyncio.sleep(0)
        release.set()
        return await waiting

    assert asyncio.run(main.ainvoke("x", thread()))


def test_cancelling_an_async_future_cancels_its_coroutine(saver: RedisSaver) -> None:
    calls = Calls()

    @task
    async def sleep() -> None:
        calls("begin")
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            calls("cancelled")
            raise

    @entrypoint(checkpointer=saver)
    async def main(_: str) -> str:
        future: Any = sleep()
        await asyncio.sleep(0.01)
        future.cancel()
        with pytest.raises(asyncio.CancelledError):
            await future
        return str(interrupt("go on?"))

    assert asked(asyncio.run(main.ainvoke("x", thread()))) == ["go on?"]
    assert calls.made == ["begin", "cancelled"]

    # It had begun, and is cancelled again: no attempt begins it a second time.
    assert asyncio.run(main.ainvoke(Command(resume="yes"), thread())) == "yes"
    assert calls.made == ["begin", "cancelled"]


def test_a_timeout_around_a_task_cancels_it_and_the_body_goes_on(
    any_saver: RedisSaver | None,
) -> None:
    @task
    async def sleep() -> None:
        await asyncio.sleep(30)

    @entrypoint(checkpointer=any_saver)
    async def main(x: int) -> list[Any]:
        try:
            await asyncio.wait_for(sleep(), 0.01)
        except TimeoutError:
            return ["timeout", await adouble(x)]
        return []

    assert asyncio.run(main.ainvoke(1, thread())) == ["timeout", 2]


# -- call forms ----------------------------------------------------------------------------------


_six_times: Callable[[int], int] = lambda x: x * 6  # noqa: E731


class Scale:
    def __init__(self, by: int) -> None:
        self.by = by

    def apply(self, x: int) -> int:
        return x * self.by

    def __call__(self, x: int) -> int:
        return x * self.by


class AsyncScale(Scale):
    async def __call__(self, x: int) -> int:  # type: ignore[override]
        return x * self.by


def test_tasks_are_made_of_any_callable(any_saver: RedisSaver | None) -> None:
    def add(x: int, y: int) -> int:
        return x + y

    method = task(Scale(3).apply)
    named = task(Scale(4).apply, name="quadruple")
    partial = task(functools.partial(add, y=10))
    instance = task(Scale(5))
    anonymous: Any = task(_six_times)
    kind = task(str)

    @entrypoint(checkpointer=any_saver)
    def main(x: int) -> list[Any]:
        made: list[Any] = [method, named, partial, instance, anonymous, kind]
        return [each(x).result() for each in made]

    assert main.invoke(2, thread()) == [6, 8, 12, 10, 12, "2"]
    names = [method.name, named.name, partial.name, instance.name, kind.name]
    assert names == ["apply", "quadruple", "add", "Scale", "str"]
    assert Scale.apply.__name__ == "apply"


def test_an_instance_with_an_async_call_is_an_async_task(any_saver: RedisSaver | None) -> None:
    scale: Any = task(AsyncScale(5))

    @entrypoint(checkpointer=any_saver)
    async def main(x: int) -> Any:
        return await scale(x)

    assert asyncio.run(main.ainvoke(2, thread())) == 10


def test_arguments_need_no_encoding(saver: RedisSaver) -> None:
    class Opaque:
        value = 7

    @task
    def read(thing: Opaque, *, scale: int = 1) -> int:
        return thing.value * scale

    @entrypoint(checkpointer=saver)
    def main(_: str) -> int:
        return read(Opaque()).result() + read(Opaque(), scale=10).result()

    assert main.invoke("x", thread()) == 77


def test_fire_and_forget_runs_and_the_run_waits_for_it(any_saver: RedisSaver | None) -> None:
    calls = Calls()

    @task
    def remember(x: int) -> int:
        time.sleep(0.02)
        calls(x)
        return x

    @entrypoint(checkpointer=any_saver)
    def main(_: str) -> str:
        remember(1)
        remember(2)
        return "done"

    updates = list(main.stream("x", thread(), stream_mode="updates"))

    assert sorted(calls.made) == [1, 2]
    assert updates[0] == {"main": "done"} or updates[-1] == {"main": "done"}
    assert sorted(map(str, updates[:])) == sorted(
        map(str, [{"main": "done"}, {"remember": 1}, {"remember": 2}])
    )


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_failure_nobody_looked_at_is_logged_and_the_run_succeeds(
    any_saver: RedisSaver | None, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    @entrypoint(checkpointer=any_saver)
    def main(_: str) -> str:
        refuse("lost")
        return "done"

    @entrypoint(checkpointer=any_saver)
    async def amain(_: str) -> str:
        arefuse("lost")
        return "done"

    with caplog.at_level(logging.WARNING, "penstock"):
        if kind == "sync":
            assert main.invoke("x", thread()) == "done"
        else:
            assert asyncio.run(amain.ainvoke("x", thread())) == "done"

    assert any("refuse" in record.getMessage() for record in caplog.records)


# -- errors --------------------------------------------------------------------------------------


def test_the_very_exception_of_a_task_is_raised_and_can_be_caught(
    any_saver: RedisSaver | None,
) -> None:
    error = ValueError("mine")

    @task
    def fail() -> None:
        raise error

    @entrypoint(checkpointer=any_saver)
    def main(x: int) -> list[Any]:
        try:
            fail().result()
        except ValueError as caught:
            return [caught is error, double(x).result()]
        return []

    assert main.invoke(1, thread()) == [True, 2]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_an_error_carries_one_note_for_each_level_innermost_first(
    any_saver: RedisSaver | None, kind: str
) -> None:
    @task
    def outer(text: str) -> None:
        refuse(text).result()

    @task
    async def aouter(text: str) -> None:
        await arefuse(text)

    @entrypoint(checkpointer=any_saver)
    def main(text: str) -> None:
        outer(text).result()

    @entrypoint(checkpointer=any_saver)
    async def amain(text: str) -> None:
        await aouter(text)

    with pytest.raises(ValueError, match="no") as caught:
        if kind == "sync":
            main.invoke("no", thread())
        else:
            asyncio.run(amain.ainvoke("no", thread()))

    notes = caught.value.__notes__
    names = ["refuse", "outer", "main"] if kind == "sync" else ["arefuse", "aouter", "amain"]
    assert len(notes) == 3
    assert all(f"'{name}'" in note for name, note in zip(names, notes, strict=True))


@pytest.mark.parametrize("where", ["body", "task"])
def test_a_cancellation_raised_by_async_code_itself_is_an_error(
    any_saver: RedisSaver | None, where: str
) -> None:
    @task
    async def give_up() -> None:
        raise asyncio.CancelledError

    @entrypoint(checkpointer=any_saver)
    async def main(_: str) -> None:
        if where == "body":
            raise asyncio.CancelledError
        await give_up()

    with pytest.raises(RuntimeError, match="raised CancelledError itself"):
        asyncio.run(main.ainvoke("x", thread()))


@pytest.mark.parametrize("where", ["body", "task"])
def test_a_cancellation_raised_by_sync_code_itself_is_an_error(
    any_saver: RedisSaver | None, where: str
) -> None:
    @task
    def give_up() -> None:
        raise asyncio.CancelledError

    @entrypoint(checkpointer=any_saver)
    def main(_: str) -> None:
        if where == "body":
            raise asyncio.CancelledError
        give_up().result()

    with pytest.raises(RuntimeError, match="CancelledError"):
        try:
            main.invoke("x", thread())
        except asyncio.CancelledError as error:
            raise AssertionError("escaped") from error


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("where", ["body", "task"])
def test_stop_iteration_becomes_a_runtime_error(
    any_saver: RedisSaver | None, kind: str, where: str
) -> None:
    @task
    def stop() -> None:
        raise StopIteration(1)

    @entrypoint(checkpointer=any_saver)
    def main(_: str) -> None:
        if where == "body":
            raise StopIteration(1)
        stop().result()

    @entrypoint(checkpointer=any_saver)
    async def amain(_: str) -> None:
        if where == "body":
            raise StopIteration(1)
        await stop()

    with pytest.raises(RuntimeError, match="StopIteration"):
        if kind == "sync":
            main.invoke("x", thread())
        else:
            asyncio.run(amain.ainvoke("x", thread()))


def test_the_log_names_what_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    at_once = RetryPolicy(initial_interval=0, jitter=False, retry_on=ValueError)
    flaky = task(refuse.func, name="flaky", retry_policy=at_once)

    @entrypoint(retry_policy=at_once)
    def main(text: str) -> None:
        flaky(text).result()

    with caplog.at_level(logging.WARNING, "penstock"), pytest.raises(ValueError, match="no"):
        main.invoke("no")

    said = [record.getMessage() for record in caplog.records]
    assert said[0].startswith("step flaky:0 failed, next try in 0.0 s")
    assert said[2].startswith("entrypoint 'main' failed, next try in 0.0 s")


@pytest.mark.filterwarnings("ignore:no live worker has announced")
@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("where", ["body", "task"])
def test_generator_exit_fails_the_run_in_place_of_its_worker(
    drive: Drive, kind: str, where: str
) -> None:
    def leave() -> None:
        raise GeneratorExit

    async def aleave() -> None:
        leave()

    step: Any = task(leave if kind == "sync" else aleave, name="leave")

    def body(_: str) -> None:
        leave() if where == "body" else step().result()

    async def abody(_: str) -> None:
        leave() if where == "body" else await step()

    main: Any = entrypoint(name="main")(body if kind == "sync" else abody)

    with pytest.raises(RuntimeError, match="raised GeneratorExit itself"):
        drive(main, "x")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("where", ["body", "task"])
def test_leaving_the_process_from_sync_code_ends_the_run_and_it_can_go_on(
    saver: RedisSaver, error: type[BaseException], where: str
) -> None:
    trouble = [True]

    @task
    def leave() -> str:
        if trouble[0]:
            raise error
        return "stayed"

    @entrypoint(checkpointer=saver)
    def main(x: int) -> list[Any]:
        before = double(x).result()
        if where == "body" and trouble[0]:
            raise error
        return [before, leave().result()]

    with pytest.raises(error):
        main.invoke(1, thread())

    trouble[0] = False
    assert main.invoke(None, thread()) == [2, "stayed"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("where", ["body", "task"])
def test_leaving_the_process_from_async_code_never_kills_the_loop_of_others(
    any_saver: RedisSaver | None, error: type[BaseException], where: str
) -> None:
    @task
    async def leave() -> None:
        raise error

    @entrypoint(checkpointer=any_saver)
    async def main(_: str) -> None:
        if where == "body":
            raise error
        await leave()

    async def both() -> str:
        with pytest.raises(RuntimeError, match=error.__name__):
            await main.ainvoke("x", thread())
        return "alive"

    assert asyncio.run(both()) == "alive"


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_when_one_of_several_tasks_fails_the_run_waits_for_the_running_ones(
    saver: RedisSaver, kind: str
) -> None:
    calls = Calls()
    repaired = [False]

    @task
    def work(x: int) -> int:
        calls(x)
        if x == 0 and not repaired[0]:
            raise ValueError("zero")
        time.sleep(0.02)
        return x

    @entrypoint(checkpointer=saver)
    def main(_: str) -> list[int]:
        return [future.result() for future in [work(i) for i in range(3)]]

    @entrypoint(checkpointer=saver)
    async def amain(_: str) -> list[int]:
        return list(await asyncio.gather(*[work(i) for i in range(3)]))

    def run(value: str | None) -> list[int]:
        if kind == "sync":
            return main.invoke(value, thread())
        result: list[int] = asyncio.run(amain.ainvoke(value, thread()))
        return result

    with pytest.raises(ValueError, match="zero"):
        run("x")
    assert sorted(calls.made) == [0, 1, 2]

    repaired[0] = True
    assert run(None) == [0, 1, 2]
    assert calls.count(0) == 2
    if kind == "sync":
        assert sorted(calls.made) == [0, 0, 1, 2]


# -- outside of a run ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda: double(1),
        lambda: double.keyed("a")(1),
        get_stream_writer,
        get_store,
        get_config,
        get_runtime,
        lambda: interrupt("?"),
    ],
    ids=["task", "keyed", "writer", "store", "config", "runtime", "interrupt"],
)
@pytest.mark.parametrize("where", ["nowhere", "own thread"])
def test_what_belongs_to_a_run_is_refused_outside_of_one(call: Any, where: str) -> None:
    if where == "nowhere":
        with pytest.raises(OutsideRunError, match="outside of a run"):
            call()
        return

    def plain_thread() -> str:
        try:
            call()
        except RuntimeError as error:
            return type(error).__name__
        return "nothing"

    @entrypoint()
    def main(_: str) -> list[str]:
        said: list[str] = []
        worker = threading.Thread(target=lambda: said.append(plain_thread()))
        worker.start()
        worker.join()
        return said

    assert main.invoke("x") == ["OutsideRunError"]


def test_after_a_run_its_context_is_gone_from_the_calling_thread(
    any_saver: RedisSaver | None,
) -> None:
    @entrypoint(checkpointer=any_saver)
    def main(x: int) -> int:
        return double(x).result()

    @entrypoint(checkpointer=any_saver)
    async def amain(x: int) -> int:
        return await adouble(x)

    async def run_and_look() -> None:
        await amain.ainvoke(1, thread("b"))
        with pytest.raises(OutsideRunError):
            get_config()

    main.invoke(1, thread())
    with pytest.raises(OutsideRunError):
        get_config()
    asyncio.run(run_and_look())


# -- nesting and room ----------------------------------------------------------------------------


def test_a_fan_out_of_two_thousand_steps(any_saver: RedisSaver | None) -> None:
    @entrypoint(checkpointer=any_saver)
    def main(count: int) -> int:
        return sum(future.result() for future in [double(i) for i in range(count)])

    count = 2000 if any_saver is None or type(any_saver) is RedisSaver else 200
    assert main.invoke(count, thread()) == count * (count - 1)


def test_an_async_fan_out_of_two_thousand_steps(any_saver: RedisSaver | None) -> None:
    @entrypoint(checkpointer=any_saver)
    async def main(count: int) -> int:
        return sum(await asyncio.gather(*[adouble(i) for i in range(count)]))

    count = 2000 if any_saver is None or type(any_saver) is RedisSaver else 200
    assert asyncio.run(main.ainvoke(count, thread())) == count * (count - 1)


@pytest.mark.parametrize("limit", [None, 1, 2])
@pytest.mark.parametrize("kind", ["sync", "async", "sync on loop"])
def test_nested_tasks_finish_with_any_limit(  # noqa: C901
    any_saver: RedisSaver | None, limit: int | None, kind: str
) -> None:
    @task
    def tree(depth: int) -> int:
        if depth == 0:
            return 1
        return sum(future.result() for future in [tree(depth - 1), tree(depth - 1)])

    @task
    async def atree(depth: int) -> int:
        if depth == 0:
            return 1
        return sum(await asyncio.gather(atree(depth - 1), atree(depth - 1)))

    @entrypoint(checkpointer=any_saver)
    def main(depth: int) -> int:
        return tree(depth).result()

    @entrypoint(checkpointer=any_saver)
    async def amain(depth: int) -> int:
        return await atree(depth)

    config = thread() if limit is None else thread(max_concurrency=limit)
    if kind == "sync":
        assert main.invoke(4, config) == 16
    elif kind == "async":
        assert asyncio.run(amain.ainvoke(4, config)) == 16
    else:
        assert asyncio.run(main.ainvoke(4, config)) == 16


@pytest.mark.parametrize("limit", [1, 3])
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_no_more_bodies_run_at_once_than_max_concurrency(
    any_saver: RedisSaver | None, limit: int, kind: str
) -> None:
    running = 0
    most = 0
    lock = threading.Lock()

    def enter(by: int) -> None:
        nonlocal running, most
        with lock:
            running += by
            most = max(most, running)

    @task
    def leaf() -> None:
        enter(1)
        time.sleep(0.002)
        enter(-1)

    @task
    async def aleaf() -> None:
        enter(1)
        await asyncio.sleep(0.002)
        enter(-1)

    @entrypoint(checkpointer=any_saver)
    def main(count: int) -> None:
        for future in [leaf() for _ in range(count)]:
            future.result()

    @entrypoint(checkpointer=any_saver)
    async def amain(count: int) -> None:
        await asyncio.gather(*[aleaf() for _ in range(count)])

    if kind == "sync":
        main.invoke(20, thread(max_concurrency=limit))
    else:
        asyncio.run(amain.ainvoke(20, thread(max_concurrency=limit)))

    assert most <= limit


@pytest.mark.parametrize("limit", [None, 1])
@pytest.mark.parametrize("kind", ["sync", "async", "sync on loop"])
def test_forty_levels_of_tasks_in_tasks(
    any_saver: RedisSaver | None, limit: int | None, kind: str
) -> None:
    @task
    def down(level: int) -> int:
        return 0 if level == 0 else 1 + down(level - 1).result()

    @task
    async def adown(level: int) -> int:
        return 0 if level == 0 else 1 + await adown(level - 1)

    @entrypoint(checkpointer=any_saver)
    def main(level: int) -> int:
        return down(level).result()

    @entrypoint(checkpointer=any_saver)
    async def amain(level: int) -> int:
        return await adown(level)

    config = thread() if limit is None else thread(max_concurrency=limit)
    if kind == "sync":
        assert main.invoke(40, config) == 40
    elif kind == "async":
        assert asyncio.run(amain.ainvoke(40, config)) == 40
    else:
        assert asyncio.run(main.ainvoke(40, config)) == 40


@pytest.mark.parametrize("limit", [None, 1])
def test_eighty_parallel_parents_that_each_wait_for_a_child_do_not_starve_it(
    any_saver: RedisSaver | None, limit: int | None
) -> None:
    @task
    def parent(x: int) -> int:
        (future,) = concurrent.futures.wait([double(x)]).done
        return future.result()

    @entrypoint(checkpointer=any_saver)
    def main(count: int) -> int:
        futures = [parent(i) for i in range(count)]
        return sum(future.result() for future in concurrent.futures.as_completed(futures))

    config = thread() if limit is None else thread(max_concurrency=limit)
    assert main.invoke(80, config) == 80 * 79


def test_sync_tasks_of_async_tasks_of_sync_tasks(any_saver: RedisSaver | None) -> None:
    @task
    async def middle(x: int) -> int:
        return 1 + await double(x)

    @task
    def outer(x: int) -> int:
        return 1 + middle(x).result()

    @entrypoint(checkpointer=any_saver)
    async def main(_: str) -> list[int]:
        return list(await asyncio.gather(*[outer(i) for i in range(20)]))

    for limit in (None, 1):
        config = thread(str(limit)) if limit is None else thread(str(limit), max_concurrency=limit)
        assert asyncio.run(main.ainvoke("x", config)) == [2 * i + 2 for i in range(20)]


@pytest.mark.parametrize("limit", [None, 1])
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_nested_entrypoints_never_run_out_of_room(
    any_saver: RedisSaver | None, limit: int | None, kind: str
) -> None:
    @entrypoint()
    def child(x: int) -> int:
        return double(x).result()

    @task
    def parent(x: int) -> int:
        return child.invoke(x) + child.invoke(x)

    @entrypoint()
    async def achild(x: int) -> int:
        return await adouble(x)

    @task
    async def aparent(x: int) -> int:
        return int(await achild.ainvoke(x)) + int(await achild.ainvoke(x))

    @entrypoint(checkpointer=any_saver)
    def main(count: int) -> list[int]:
        in_line = sum(child.invoke(i) for i in range(count))
        return [in_line, sum(future.result() for future in [parent(i) for i in range(count)])]

    @entrypoint(checkpointer=any_saver)
    async def amain(count: int) -> list[int]:
        in_line = sum([await achild.ainvoke(i) for i in range(count)])
        return [in_line, sum(await asyncio.gather(*[aparent(i) for i in range(count)]))]

    config = thread() if limit is None else thread(max_concurrency=limit)
    if kind == "sync":
        assert main.invoke(40, config) == [1560, 3120]
    else:
        assert asyncio.run(amain.ainvoke(40, config)) == [1560, 3120]


def test_steps_in_process_are_retried_and_the_last_error_counts(
    any_saver: RedisSaver | None,
) -> None:
    calls = Calls()

    @task(
        retry_policy=RetryPolicy(
            max_attempts=3, initial_interval=0, jitter=False, retry_on=KeyError
        )
    )
    def flaky(succeed_at: int) -> int:
        calls(succeed_at)
        if calls.count(succeed_at) < succeed_at:
            raise KeyError(calls.count(succeed_at))
        return succeed_at

    @entrypoint(checkpointer=any_saver)
    def main(succeed_at: int) -> int:
        return flaky(succeed_at).result()

    assert main.invoke(3, thread()) == 3
    with pytest.raises(KeyError, match="3"):
        main.invoke(4, thread())
    assert calls.made == [3] * 3 + [4] * 3
