"""Coroutines that sync functions return are awaited; futures in the place of values are named."""

from __future__ import annotations

import asyncio
import contextvars
import functools
from collections.abc import Callable
from typing import Any

import pytest

from penstock.publisher.errors import CodecError
from penstock.runtime import (
    Command,
    InMemorySaver,
    RetryPolicy,
    StepTimeoutError,
    entrypoint,
    interrupt,
    task,
)
from tests.runtime.flows import Calls, asked, thread
from tests.support.drive import Drive

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")

SPAN: contextvars.ContextVar[str] = contextvars.ContextVar("span", default="none")


async def double(x: int) -> int:
    await asyncio.sleep(0)
    return 2 * x


def traced(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def bare(function: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(x: int) -> Any:
        return function(x)

    return wrapper


def shortened(x: int) -> Any:
    return double(x)


class Caller:
    def __call__(self, x: int) -> Any:
        return double(x)

    def method(self, x: int) -> Any:
        return double(x)


class Async:
    async def __call__(self, x: int) -> int:
        return await double(x)


KINDS: dict[str, Callable[..., Any]] = {
    "decorated": traced(double),
    "decorated twice": traced(traced(double)),
    "decorated without wraps": bare(double),
    "function": shortened,
    "lambda": lambda *x: double(*x),
    "partial of a wrapper": functools.partial(traced(double)),
    "partial of an async function": functools.partial(double),
    "callable object": Caller(),
    "method": Caller().method,
    "async callable object": Async(),
    "partial of an async callable object": functools.partial(Async()),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_coroutine_that_a_task_returns_is_awaited(drive: Drive, kind: str) -> None:
    work = task(KINDS[kind], name="work")

    @entrypoint()
    async def main(x: int) -> Any:
        return [await work(x), *await asyncio.gather(work(x + 1), work(x + 2))]

    assert drive(main, 1) == [2, 4, 6]


@pytest.mark.parametrize("kind", KINDS)
def test_a_sync_body_gets_its_value_too(kind: str) -> None:
    work = task(KINDS[kind], name="work")

    @entrypoint(checkpointer=InMemorySaver())
    def main(x: int) -> Any:
        return work(work(x).result()).result()

    assert asyncio.run(main.ainvoke(1, thread())) == 4


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("saver", [InMemorySaver, None])
def test_a_coroutine_that_an_entrypoint_returns_is_awaited(kind: str, saver: Any) -> None:
    main = entrypoint(name="main", checkpointer=saver and saver())(KINDS[kind])

    assert asyncio.run(main.ainvoke(1, thread())) == 2
    assert asyncio.run(_last(main)) == 4


async def _last(main: Any) -> Any:
    return [chunk async for chunk in main.astream(2, thread(), stream_mode="values")][-1]


def test_a_coroutine_that_an_entrypoint_returns_is_awaited_on_workers(redis_url: str) -> None:
    drive = Drive("worker", redis_url)

    assert drive(entrypoint(name="main")(traced(double)), 1) == 2
    assert drive(entrypoint(name="main")(Caller()), 1, "other") == 2


def test_a_nested_entrypoint_may_return_one(drive: Drive) -> None:
    child = entrypoint(name="child")(traced(double))

    @entrypoint()
    async def main(x: int) -> Any:
        return await child.ainvoke(x)

    assert drive(main, 1) == 2


@pytest.mark.parametrize("kind", ["decorated", "lambda", "callable object"])
@pytest.mark.parametrize("saver", [InMemorySaver, None])
def test_a_run_without_a_loop_says_what_to_do(kind: str, saver: Any) -> None:
    work = task(KINDS[kind], name="work")

    @entrypoint(checkpointer=saver and saver())
    def main(x: int) -> Any:
        return work(x).result()

    with pytest.raises(RuntimeError, match=r"'work' returned a coroutine.*use ainvoke or astream"):
        main.invoke(1, thread())

    with pytest.raises(RuntimeError, match=r"'other' returned a coroutine.*use ainvoke or astream"):
        entrypoint(name="other")(KINDS[kind]).invoke(1)


def test_what_it_calls_and_asks_belongs_to_its_step(drive: Drive) -> None:
    calls = Calls()

    @task
    def count(what: str) -> str:
        calls(what)
        return what

    async def after(first: Any, x: int) -> Any:
        answer = interrupt("more?")
        return [await first, await count("after"), answer, x]

    @task
    def work(x: int) -> Any:
        return after(count("before"), x)

    @entrypoint()
    async def main(x: int) -> Any:
        return await work(x)

    flow: Any = main
    assert asked(drive(flow, 1)) == ["more?"]
    assert drive(flow, Command(resume="yes")) == ["before", "after", "yes", 1]
    assert sorted(calls.made) == ["after", "before"]


def test_its_errors_are_tried_again_and_recorded(drive: Drive) -> None:
    calls = Calls()

    async def fail(x: int) -> int:
        calls("try")
        if calls.count("try") < 3:
            raise ConnectionError("again")
        raise ValueError(f"no {x}")

    policy = RetryPolicy(initial_interval=0, jitter=False, max_attempts=5)
    work = task(traced(fail), name="work", retry_policy=policy)

    @entrypoint()
    async def main(x: int) -> Any:
        try:
            return await work(x)
        except ValueError as error:
            return str(error)

    assert drive(main, 1) == "no 1"
    assert calls.count("try") == 3


def test_its_time_is_that_of_its_step() -> None:
    async def forever(_: int) -> None:
        await asyncio.Event().wait()

    work = task(traced(forever), name="work", timeout=0.05)

    @entrypoint(checkpointer=InMemorySaver())
    async def main(x: int) -> Any:
        try:
            return await work(x)
        except StepTimeoutError as error:
            return error.kind

    assert asyncio.run(main.ainvoke(1, thread())) == "run"


def test_it_holds_no_place_while_it_waits_for_its_own_steps() -> None:
    inner = task(double)

    async def outer(x: int) -> int:
        return await inner(x)

    work = task(traced(outer), name="work")

    @entrypoint(checkpointer=InMemorySaver())
    async def main(x: int) -> Any:
        return await asyncio.gather(work(x), work(x + 1))

    result = asyncio.run(main.ainvoke(1, {**thread(), "max_concurrency": 1}))

    assert result == [2, 4]


def test_it_is_cancelled_where_its_run_fails() -> None:
    ended: list[str] = []

    async def forever(_: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("forever")

    work = task(traced(forever), name="work")

    @entrypoint(checkpointer=InMemorySaver())
    async def main(x: int) -> Any:
        work(x)
        await asyncio.sleep(0.05)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        asyncio.run(asyncio.wait_for(main.ainvoke(1, thread()), 10))
    assert ended == ["forever"]


def test_the_context_of_its_wrapper_is_its_own() -> None:
    async def span(_: int) -> str:
        return SPAN.get()

    def wrapper(x: int) -> Any:
        SPAN.set("of the wrapper")
        return span(x)

    work = task(wrapper)

    @entrypoint(checkpointer=InMemorySaver())
    async def main(x: int) -> Any:
        return [await work(x), SPAN.get()]

    assert asyncio.run(main.ainvoke(1, thread())) == ["of the wrapper", "none"]


# -- futures and coroutines in the place of values ---------------------------------------------


@task
def single(x: int) -> int:
    return x


@task
async def asingle(x: int) -> int:
    return x


@task
def other(x: Any) -> Any:
    return x


@task
def passes_on(x: int) -> Any:
    return single(x)


@task
async def apasses_on(x: int) -> Any:
    return asingle(x)


@task
async def forgets(x: int) -> Any:
    return double(x)


FORGOTTEN: dict[str, tuple[Callable[[int], Any], str]] = {
    "the result": (lambda x: single(x), "result of the run.*step 'single:0'"),
    "the result of a final": (
        lambda x: entrypoint.final(value=single(x), save=x),
        "result of the run.*step 'single:0'",
    ),
    "what a final saves": (
        lambda x: entrypoint.final(value=x, save=single(x)),
        "result of the run.*step 'single:0'",
    ),
    "in the result": (lambda x: {"found": [single(x)]}, "result of the run.*step 'single:0'"),
    "an argument": (lambda x: other(single(x)), "arguments of step 'other:0'.*'single:0'"),
    "a named argument": (lambda x: other(x=single(x)), "arguments of.*'other:0'.*'single:0'"),
    "in an argument": (lambda x: other([single(x)]), "arguments of step 'other:0'.*'single:0'"),
    "a question": (lambda x: interrupt(single(x)), "question of an interrupt.*'single:0'"),
}


@pytest.mark.parametrize("kind", [kind for kind in FORGOTTEN if kind != "in the result"])
@pytest.mark.parametrize("saver", [InMemorySaver, None])
def test_a_forgotten_result_is_named_in_sync_code(kind: str, saver: Any) -> None:
    body, told = FORGOTTEN[kind]
    main = entrypoint(name="main", checkpointer=saver and saver())(body)

    with pytest.raises(CodecError, match=told) as refused:
        main.invoke(1, thread())
    assert "call .result() on it in sync code" in str(refused.value)


@pytest.mark.parametrize("kind", FORGOTTEN)
def test_a_forgotten_await_is_named_in_async_code(drive: Drive, kind: str) -> None:
    body, told = FORGOTTEN[kind]

    @entrypoint()
    async def main(x: int) -> Any:
        return body(x)

    with pytest.raises(CodecError, match=told) as refused:
        drive(main, 1)
    assert "await it in async code" in str(refused.value)


def test_a_step_that_returns_the_future_of_another_is_named(drive: Drive) -> None:
    @entrypoint()
    def sync(x: int) -> Any:
        return passes_on(x).result()

    @entrypoint()
    async def main(x: int) -> Any:
        return await apasses_on(x)

    with pytest.raises(CodecError, match=r"result of step 'passes_on:0'.*'passes_on:0/single:0'"):
        drive(sync, 1)
    with pytest.raises(CodecError, match=r"step 'apasses_on:0'.*'apasses_on:0/asingle:0'"):
        drive(main, 1, "other")


def test_a_forgotten_coroutine_is_named(drive: Drive) -> None:
    @entrypoint()
    async def returns(x: int) -> Any:
        return await forgets(x)

    @entrypoint()
    async def gives(x: int) -> Any:
        return await other(double(x))

    with pytest.raises(CodecError, match=r"result of step 'forgets:0'.*await double\(...\)"):
        drive(returns, 1)
    with pytest.raises(CodecError, match=r"arguments of step 'other:0'.*await double\(...\)"):
        drive(gives, 1, "other")


def test_the_input_of_a_nested_entrypoint_is_no_future() -> None:
    @entrypoint()
    def child(x: Any) -> Any:
        return x

    @entrypoint()
    def main(x: int) -> Any:
        return child.invoke(single(x))

    with pytest.raises(CodecError, match=r"the input of entrypoint 'child'.*'single:0'"):
        main.invoke(1)


# -- calls of steps where asyncio wants coroutines -----------------------------------------------


def test_create_task_takes_the_call_of_a_step(drive: Drive) -> None:
    @entrypoint()
    async def main(x: int) -> Any:
        first, second = (asyncio.create_task(call, name="mine") for call in calls(x))
        found = [first.get_name(), await first, await second]
        async with asyncio.TaskGroup() as group:
            grouped = [group.create_task(call) for call in calls(x + 1)]
        found += [each.result() for each in grouped]
        found += await asyncio.gather(*map(asyncio.ensure_future, calls(x + 2)))
        found += [await asyncio.wait_for(call, 5) for call in calls(x + 3)]
        found += [await asyncio.shield(call) for call in calls(x + 4)]
        found += sorted([await call for call in asyncio.as_completed(calls(x + 5))])
        done, _ = await asyncio.wait(calls(x + 6))
        return found + sorted(each.result() for each in done)

    def calls(x: int) -> list[Any]:
        return [single(x), asingle(x)]

    assert drive(main, 1) == ["mine", 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7]


def test_a_task_of_a_step_raises_its_error_and_cancels_it() -> None:
    ended: list[str] = []

    @task
    async def fail() -> None:
        raise ValueError("no")

    @task
    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("forever")

    @entrypoint()
    async def main(_: int) -> Any:
        cancelled: Any = asyncio.create_task(_call(forever))
        await asyncio.sleep(0.01)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        failed: Any = asyncio.create_task(_call(fail))
        with pytest.raises(ValueError, match="no"):
            await failed
        return "done"

    def _call(step: Any) -> Any:
        return step()

    assert asyncio.run(main.ainvoke(1)) == "done"
    assert ended == ["forever"]


def test_steps_in_tasks_are_found_again_by_a_replay(drive: Drive) -> None:
    calls = Calls()

    @task
    async def work(x: int) -> int:
        calls(x)
        return x

    @entrypoint()
    async def main(x: int) -> Any:
        each: list[Any] = [work(number) for number in range(3)]
        found = [await one for one in [asyncio.create_task(call) for call in each]]
        return [*found, interrupt("?"), await work(5)]

    assert asked(drive(main, 1)) == ["?"]
    assert drive(main, Command(resume="yes")) == [0, 1, 2, "yes", 5]
    assert sorted(calls.made) == [0, 1, 2, 5]
