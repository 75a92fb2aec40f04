"""Entrypoints streamed inside a run: the same step as with invoke, and its chunks as they come."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, cast

import pytest

from penstock.runtime import (
    Command,
    InMemoryCache,
    InMemorySaver,
    RedisSaver,
    RetryPolicy,
    StepTimeoutError,
    entrypoint,
    get_runtime,
    get_stream_writer,
    interrupt,
    task,
)
from penstock.runtime.errors import EmptyInputError, ResumeError, ThreadBusyError
from penstock.runtime.journal.fact import Fact
from penstock.runtime.testing import crash_after_each_step
from penstock.runtime.types.cache import CachePolicy
from penstock.runtime.workflow.nested_stream import as_run
from tests.runtime.flows import Calls, asked, ids, thread
from tests.support.drive import Drive

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")

KINDS = pytest.mark.parametrize("kind", ["sync", "async"])

AT_ONCE = RetryPolicy(initial_interval=0, jitter=False, max_attempts=9, retry_on=Exception)


def streaming(kind: str, child: Any, use: Callable[[list[Any]], Any] = list, **options: Any) -> Any:
    """A flow that streams a child to its end, and returns what is made of its chunks."""

    @entrypoint()
    def main(x: Any) -> Any:
        return use(list(child.stream(x, **options)))

    @entrypoint(name="main")
    async def amain(x: Any) -> Any:
        return use([chunk async for chunk in child.astream(x, **options)])

    return main if kind == "sync" else amain


def loading(kind: str, log: Callable[[Any], None] = lambda _: None) -> Any:
    """A child with a task for each item, that says something."""

    @task
    def fetch(x: int) -> int:
        log(x)
        get_stream_writer()(f"fetch {x}")
        return 10 * x

    @entrypoint()
    def load(count: int) -> list[int]:
        get_stream_writer()("load")
        return [fetch(x).result() for x in range(count)]

    @entrypoint(name="load")
    async def aload(count: int) -> list[int]:
        get_stream_writer()("load")
        return [await fetch(x) for x in range(count)]

    return load if kind == "sync" else aload


# -- the chunks ----------------------------------------------------------------------------------


@KINDS
def test_the_chunks_of_a_child_reach_its_caller(drive: Drive, kind: str) -> None:
    flow = streaming(kind, loading(kind), stream_mode=["custom", "updates", "values"])

    assert [tuple(chunk) for chunk in drive(flow, 2)] == [
        ("custom", "load"),
        ("custom", "fetch 0"),
        ("updates", {"fetch": 0}),
        ("custom", "fetch 1"),
        ("updates", {"fetch": 10}),
        ("updates", {"load": [0, 10]}),
        ("values", [0, 10]),
    ]


@KINDS
def test_a_nested_stream_gives_the_value_unless_it_is_asked_for_more(
    drive: Drive, kind: str
) -> None:
    assert drive(streaming(kind, loading(kind)), 2) == [[0, 10]]


@KINDS
@pytest.mark.parametrize(
    "options",
    [
        {"stream_mode": "updates"},
        {"stream_mode": ["custom", "tasks", "messages"]},
        {"stream_mode": ["custom", "updates", "values"], "subgraphs": True},
        {"stream_mode": "values", "version": "v2"},
        {"stream_mode": ["tasks", "custom"], "version": "v2", "subgraphs": True},
    ],
)
def test_the_chunks_are_those_of_a_run_of_its_own(kind: str, options: Any) -> None:
    @task
    def answer() -> Any:
        get_stream_writer().message("Hel", id="m1")
        return [{"role": "assistant", "content": "Hello", "id": name} for name in ("m1", "m2")]

    @entrypoint()
    def inner(_: int) -> Any:
        return answer().result()

    load: Any = loading("sync")

    @entrypoint()
    def child(x: int) -> Any:
        get_stream_writer()("begin")
        return [inner.invoke(x), load.invoke(x)]

    @entrypoint(name="child")
    async def achild(x: int) -> Any:
        get_stream_writer()("begin")
        return [await inner.ainvoke(x), await load.ainvoke(x)]

    async def alone() -> list[Any]:
        return [chunk async for chunk in achild.astream(2, **options)]

    if kind == "sync":
        assert streaming(kind, child, **options).invoke(2) == list(child.stream(2, **options))
    else:
        nested = asyncio.run(streaming(kind, achild, **options).ainvoke(2))
        assert nested == asyncio.run(alone())


@KINDS
def test_chunks_come_while_the_child_is_at_work(kind: str) -> None:
    came = threading.Event()

    @entrypoint()
    def child(_: str) -> bool:
        get_stream_writer()("well")
        return came.wait(5)

    @entrypoint()
    def main(x: str) -> Any:
        chunks: list[Any] = []
        for chunk in child.stream(x, stream_mode=["custom", "values"]):
            chunks.append(chunk)
            came.set()
        return chunks

    @entrypoint()
    async def amain(x: str) -> Any:
        chunks: list[Any] = []
        async for chunk in child.astream(x, stream_mode=["custom", "values"]):
            chunks.append(chunk)
            came.set()
        return chunks

    result = main.invoke("x") if kind == "sync" else asyncio.run(amain.ainvoke("x"))

    assert result == [("custom", "well"), ("values", True)]


@KINDS
def test_what_the_child_says_reaches_the_outer_stream_too(saver: RedisSaver, kind: str) -> None:
    child = loading(kind)
    by_stream = streaming(kind, child, lambda chunks: chunks[-1])

    @entrypoint(checkpointer=saver, name="main")
    def by_invoke(x: int) -> Any:
        return loading("sync").invoke(x)

    def outer(flow: Any, name: str) -> list[Any]:
        async def run() -> list[Any]:
            kept = flow.copy({"checkpointer": saver})
            modes = ["updates", "custom", "tasks"]
            stream = kept.astream(1, thread(name), stream_mode=modes, subgraphs=True)
            return [chunk async for chunk in stream]

        return asyncio.run(run())

    assert outer(by_stream, "a") == outer(by_invoke, "b")


@KINDS
def test_nested_invoke_with_another_mode_gives_the_list_of_the_chunks(
    drive: Drive, kind: str
) -> None:
    child = loading(kind)

    @entrypoint()
    def main(x: int) -> Any:
        return child.invoke(x, stream_mode="updates")

    @entrypoint(name="main")
    async def amain(x: int) -> Any:
        return await child.ainvoke(x, stream_mode="updates")

    flow: Any = main if kind == "sync" else amain
    assert drive(flow, 1) == [{"fetch": 0}, {"load": [0]}]


def test_a_cached_child_says_so() -> None:
    calls = Calls()

    @entrypoint(cache=InMemoryCache(), cache_policy=CachePolicy())
    def child(x: int) -> int:
        calls(x)
        return x

    @entrypoint()
    def main(x: int) -> Any:
        return [list(child.stream(x, stream_mode="updates")) for _ in range(2)]

    assert main.invoke(1) == [
        [{"child": 1}],
        [{"child": 1, "__metadata__": {"cached": True}}],
    ]
    assert calls.made == [1]


@KINDS
def test_a_child_that_is_tried_again_says_what_of_it_is_void(kind: str) -> None:
    calls = Calls()

    @entrypoint(retry_policy=AT_ONCE)
    def child(_: str) -> int:
        calls("child")
        get_stream_writer()("said")
        if calls.count("child") == 1:
            raise ConnectionError
        return 1

    options: Any = {"stream_mode": ["custom", "retry", "values"]}
    flow = streaming(kind, child, **options)

    chunks = asyncio.run(flow.ainvoke("x"))

    assert [mode for mode, _ in chunks] == ["custom", "retry", "custom", "values"]
    assert (chunks[1][1]["id"], chunks[1][1]["name"]) == ("", "child")


def test_an_unknown_mode_is_refused() -> None:
    @entrypoint()
    def main(x: int) -> Any:
        with pytest.raises(ValueError, match="unknown stream mode"):
            loading("sync").stream(x, stream_mode="nothing")
        return "refused"

    assert main.invoke(1) == "refused"


@pytest.mark.parametrize(
    ("value", "error"), [(None, EmptyInputError), (Command(resume=1), ResumeError)]
)
def test_a_nested_stream_begins_with_an_input(value: Any, error: type[Exception]) -> None:
    @entrypoint()
    async def main(_: str) -> Any:
        with pytest.raises(error, match="load"):
            loading("sync").stream(value)
        with pytest.raises(error, match="load"):
            loading("async").astream(value)
        return "refused"

    assert asyncio.run(main.ainvoke("x")) == "refused"


@KINDS
def test_a_child_in_a_task_may_be_streamed_with_room_for_one_body(drive: Drive, kind: str) -> None:
    child = loading(kind)

    @task
    def follow(x: int) -> Any:
        return list(child.stream(x, stream_mode="updates"))

    @task(name="follow")
    async def afollow(x: int) -> Any:
        return [chunk async for chunk in child.astream(x, stream_mode="updates")]

    @entrypoint()
    def main(x: int) -> Any:
        return [each.result() for each in [follow(x), follow(x)]]

    @entrypoint(name="main")
    async def amain(x: int) -> Any:
        return list(await asyncio.gather(afollow(x), afollow(x)))

    flow: Any = main if kind == "sync" else amain
    assert drive(flow, 1, config={"max_concurrency": 1}) == [[{"fetch": 0}, {"load": [0]}]] * 2


def test_on_the_loop_a_sync_child_runs_before_its_first_chunk(drive: Drive) -> None:
    child = loading("sync")

    @task
    async def work() -> str:
        return "done"

    @entrypoint()
    async def main(x: int) -> Any:
        chunks = list(child.stream(x, stream_mode="custom"))
        return [chunks, await work()]

    assert drive(main, 0) == [["load"], "done"]


# -- the step ------------------------------------------------------------------------------------


@KINDS
def test_stream_and_invoke_make_the_same_step(saver: RedisSaver, kind: str) -> None:
    @task
    def where() -> str:
        return get_runtime().execution_info.step_id

    @entrypoint()
    def child(_: str) -> str:
        return where().result()

    @entrypoint(checkpointer=saver)
    def main(x: str) -> Any:
        return [child.invoke(x), *child.stream(x), child.invoke(x)]

    @entrypoint(checkpointer=saver)
    async def amain(x: str) -> Any:
        streamed = [each async for each in child.astream(x)]
        return [await child.ainvoke(x), *streamed, await child.ainvoke(x)]

    flow: Any = main if kind == "sync" else amain

    result = asyncio.run(flow.ainvoke("x", thread()))

    assert sorted(result) == [f"^child:{number}/where:0" for number in range(3)]


@KINDS
def test_a_replay_gives_the_value_that_is_recorded_and_nothing_else(
    drive: Drive, kind: str
) -> None:
    calls = Calls()
    child = loading(kind, calls)
    modes = ["custom", "tasks", "updates", "values"]

    def ask(chunks: list[Any]) -> Any:
        return interrupt("?") and [tuple(chunk) for chunk in chunks]

    flow = streaming(kind, child, ask, stream_mode=modes)
    assert asked(drive(flow, 2)) == ["?"]

    assert drive(flow, Command(resume="!")) == [
        ("updates", {"load": [0, 10]}),
        ("values", [0, 10]),
    ]
    assert calls.made == [0, 1]


@KINDS
def test_a_replay_of_other_modes_gives_nothing(drive: Drive, kind: str) -> None:
    flow = streaming(
        kind, loading(kind), lambda chunks: [interrupt("?"), chunks], stream_mode="custom"
    )
    drive(flow, 1)

    assert drive(flow, Command(resume="!")) == ["!", []]


@KINDS
def test_a_question_of_a_streamed_child_stops_the_run(drive: Drive, kind: str) -> None:
    calls = Calls()
    read: list[Any] = []

    @task
    def work(x: int) -> int:
        calls(x)
        return x + 1

    @entrypoint()
    def child(x: int) -> Any:
        return [work(x).result(), interrupt("?")]

    @entrypoint()
    def main(x: int) -> Any:
        for chunk in child.stream(x, stream_mode=["updates", "values"]):
            read.append(tuple(chunk))
        calls("end")
        return read[-1][1]

    @entrypoint(name="main")
    async def amain(x: int) -> Any:
        async for chunk in child.astream(x, stream_mode=["updates", "values"]):
            read.append(tuple(chunk))
        calls("end")
        return read[-1][1]

    flow: Any = main if kind == "sync" else amain
    assert asked(drive(flow, 1)) == ["?"]
    assert read == [("updates", {"work": 2})]
    assert drive(flow, Command(resume="!")) == [2, "!"]

    assert read[1:] == [("updates", {"child": [2, "!"]}), ("values", [2, "!"])]
    assert calls.made == [1, "end"]


@KINDS
def test_an_error_of_the_child_comes_after_its_chunks_and_is_recorded_if_survived(
    drive: Drive, kind: str
) -> None:
    calls, read = Calls(), list[Any]()

    @entrypoint()
    def child(_: str) -> Any:
        calls("child")
        get_stream_writer()("said")
        raise LookupError("no")

    @entrypoint()
    def main(x: str) -> Any:
        try:
            for chunk in child.stream(x, stream_mode="custom"):
                read.append(chunk)
        except LookupError as error:
            return [interrupt("?"), *error.args]

    @entrypoint(name="main")
    async def amain(x: str) -> Any:
        try:
            async for chunk in child.astream(x, stream_mode="custom"):
                read.append(chunk)
        except LookupError as error:
            return [interrupt("?"), *error.args]

    flow: Any = main if kind == "sync" else amain
    assert asked(drive(flow, "x")) == ["?"]
    assert drive(flow, Command(resume="!")) == ["!", "no"]

    assert (calls.made, read) == (["child"], ["said"])


@KINDS
def test_the_time_of_a_streamed_child_may_run_out(kind: str) -> None:
    read: list[Any] = []

    @entrypoint(timeout=0.05)
    def child(_: str) -> None:
        get_stream_writer()("said")
        time.sleep(0.3)

    @entrypoint()
    def main(x: str) -> None:
        for chunk in child.stream(x, stream_mode="custom"):
            read.append(chunk)

    @entrypoint()
    async def amain(x: str) -> None:
        async for chunk in child.astream(x, stream_mode="custom"):
            read.append(chunk)

    flow: Any = main if kind == "sync" else amain
    with pytest.raises(StepTimeoutError):
        asyncio.run(flow.ainvoke("x"))

    assert read == ["said"]


@KINDS
def test_a_child_without_persistence_is_streamed_again(drive: Drive, kind: str) -> None:
    child = loading(kind).copy({"checkpointer": False})
    flow = streaming(kind, child, lambda chunks: [interrupt("?"), chunks], stream_mode="custom")
    drive(flow, 1)

    assert drive(flow, Command(resume="!")) == ["!", ["load", "fetch 0"]]


@KINDS
def test_a_child_with_a_state_keeps_it(drive: Drive, kind: str) -> None:
    @entrypoint(checkpointer=True)
    def count(x: int, *, previous: int | None = None) -> Any:
        total = x + (previous or 0)
        return entrypoint.final(value=f"total {total}", save=total)

    flow = streaming(kind, count)

    assert drive(flow, 1) == ["total 1"]
    assert drive(flow, 2) == ["total 3"]


def test_two_streams_at_once_of_a_child_with_a_state_are_refused() -> None:
    @entrypoint(checkpointer=True)
    async def child(_: str) -> None:
        get_stream_writer()("well")
        await asyncio.sleep(0.01)

    @entrypoint(checkpointer=InMemorySaver())
    async def main(x: str) -> Any:
        async with aclosing(cast(Any, child.astream(x, stream_mode="custom"))) as first:
            async for _ in first:
                return [chunk async for chunk in child.astream(x)]

    with pytest.raises(ThreadBusyError, match="checkpointer=True"):
        asyncio.run(main.ainvoke("x", thread()))


def test_streams_that_are_read_in_another_order_than_made_replay_in_theirs(drive: Drive) -> None:
    calls = Calls()

    @entrypoint(checkpointer=True)
    def child(x: int, *, previous: Any = None) -> Any:
        calls(x)
        return entrypoint.final(value=[x, previous], save=x)

    @entrypoint()
    def main(_: str) -> Any:
        streams = [child.stream(x) for x in range(3)]
        read = [next(stream) for stream in streams[::-1]]
        return [interrupt("?"), read, child.invoke(9)]

    assert asked(drive(main, "x")) == ["?"]
    assert drive(main, Command(resume="!")) == ["!", [[2, None], [1, 2], [0, 1]], [9, 0]]
    assert calls.made == [2, 1, 0, 9]


@pytest.mark.parametrize("made_by", ["reader", "body"])
def test_children_streamed_at_once_keep_their_results(saver: RedisSaver, made_by: str) -> None:
    calls, turn = Calls(), {"fast": 0}

    @task
    async def work(x: int) -> int:
        calls(x)
        await asyncio.sleep(0.002 * ((x + turn["fast"]) % 3))
        return x * 10

    @entrypoint()
    async def child(x: int) -> Any:
        first = await work(x)
        return [first, interrupt(x) if x == 2 else await work(x + 100)]

    async def read(stream: AsyncIterator[Any]) -> Any:
        return [chunk async for chunk in stream][-1]

    async def make_and_read(x: int) -> Any:
        return await read(child.astream(x, stream_mode=["updates", "values"]))

    @entrypoint(checkpointer=saver)
    async def main(_: str) -> Any:
        if made_by == "reader":
            return list(await asyncio.gather(*[make_and_read(x) for x in range(4)]))
        streams = [child.astream(x, stream_mode=["updates", "values"]) for x in range(4)]
        order = [streams[(x + turn["fast"]) % 4] for x in range(4)]
        found = await asyncio.gather(*[read(stream) for stream in order])
        return sorted(found)

    assert asked(asyncio.run(main.ainvoke("x", thread()))) == [2]
    turn["fast"] = 2
    result = asyncio.run(main.ainvoke(Command(resume="two"), thread()))

    expected = [[0, 1000], [10, 1010], [20, "two"], [30, 1030]]
    assert result == [("values", value) for value in expected]
    assert sorted(calls.made) == [0, 1, 2, 3, 100, 101, 103]


def test_questions_of_children_streamed_at_once_are_asked_at_once(drive: Drive) -> None:
    @entrypoint()
    async def child(x: str) -> Any:
        return interrupt(x)

    async def read(x: str) -> list[Any]:
        return [chunk async for chunk in child.astream(x)]

    @entrypoint()
    async def main(_: str) -> Any:
        return list(await asyncio.gather(read("a"), read("b")))

    questions = ids(drive(main, "x"))
    assert sorted(questions) == ["a", "b"]

    assert drive(main, Command(resume={questions["a"]: 1, questions["b"]: 2})) == [[1], [2]]


def test_another_thread_makes_the_stream_that_of_a_run_of_its_own(saver: RedisSaver) -> None:
    @entrypoint(checkpointer=saver)
    def child(_: str) -> Any:
        return interrupt("own?")

    @entrypoint(checkpointer=saver)
    def main(x: str) -> Any:
        (chunk,) = child.stream(x, thread("other"))
        return asked(chunk)

    assert main.invoke("x", thread()) == ["own?"]
    assert child.invoke(Command(resume="yes"), thread("other")) == "yes"


@KINDS
@pytest.mark.parametrize("persistence", [None, False, True])
def test_a_crash_behind_any_step_changes_nothing(kind: str, persistence: bool | None) -> None:
    @task
    def work(x: int) -> int:
        get_stream_writer()(x)
        return x + 1

    @entrypoint(checkpointer=persistence)
    def child(x: int, *, previous: Any = None) -> Any:
        found = [work(x).result(), interrupt("?"), work(x + 10).result()]
        return entrypoint.final(value=[previous, *found], save=x)

    @entrypoint()
    def main(x: int) -> Any:
        return [*child.stream(x), work(x).result(), *child.stream(x + 1)]

    @entrypoint(name="main")
    async def amain(x: int) -> Any:
        first = [chunk async for chunk in child.astream(x)]
        return [*first, await work(x), *[chunk async for chunk in child.astream(x + 1)]]

    result = crash_after_each_step(
        main if kind == "sync" else amain, 1, answer=lambda question: "!"
    )

    before = 1 if persistence else None
    assert result == [[None, 2, "!", 12], 2, [before, 3, "!", 13]]


# -- leaving early -------------------------------------------------------------------------------


def test_a_sync_stream_left_early_lets_the_child_come_to_its_end(drive: Drive) -> None:
    calls = Calls()

    @task
    def late() -> None:
        calls("late")

    @entrypoint()
    def child(_: str) -> str:
        get_stream_writer()("first")
        late().result()
        return "value"

    @entrypoint()
    def main(x: str) -> Any:
        for _ in child.stream(x, stream_mode=["custom", "values"]):
            break
        calls("left")
        return interrupt("?")

    assert asked(drive(main, "x")) == ["?"]
    assert drive(main, Command(resume="!")) == "!"
    assert calls.made == ["late", "left", "left"]


def test_a_question_of_a_sync_child_whose_stream_is_left_stops_the_run_at_its_end(
    drive: Drive,
) -> None:
    @entrypoint()
    def child(_: str) -> Any:
        get_stream_writer()("first")
        return interrupt("?")

    @entrypoint()
    def main(x: str) -> Any:
        for chunk in child.stream(x, stream_mode=["custom", "values"]):
            return chunk[1]

    assert asked(drive(main, "x")) == ["?"]
    assert drive(main, Command(resume="!")) == "first"


async def close(stream: Any, calls: Calls) -> None:
    calls(await anext(stream))
    await stream.aclose()


async def cancel(stream: Any, calls: Calls) -> None:
    calls(await anext(stream))
    reading = asyncio.create_task(anext(stream))
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.wait([reading])


async def forget(stream: Any, calls: Calls) -> None:
    async for chunk in stream:
        calls(chunk)
        break


@pytest.mark.parametrize("leave", [close, cancel, forget])
def test_an_async_stream_left_early_cancels_the_child_and_records_nothing_of_it(
    saver: RedisSaver, leave: Any
) -> None:
    calls = Calls()

    @task
    async def work() -> None:
        calls("work")

    @entrypoint()
    async def child(_: str) -> None:
        await work()
        get_stream_writer()("first")
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            calls("cancelled")
            raise

    @entrypoint(checkpointer=saver)
    async def main(x: str) -> Any:
        await leave(child.astream(x, stream_mode=["custom", "values"]), calls)
        return interrupt("?")

    assert asked(asyncio.run(main.ainvoke("x", thread()))) == ["?"]
    assert asyncio.run(main.ainvoke(Command(resume="!"), thread())) == "!"

    assert calls.made == ["work", *[("custom", "first"), "cancelled"] * 2]


@pytest.mark.parametrize("leave", [close, cancel])
def test_what_a_sync_child_does_after_its_async_stream_was_left_is_refused(
    saver: RedisSaver, leave: Any
) -> None:
    calls = Calls()
    left, refused = threading.Event(), threading.Event()

    @task
    def work(x: str) -> None:
        calls(x)

    @entrypoint()
    def child(_: str) -> None:
        work("early").result()
        get_stream_writer()("first")
        left.wait(5)
        try:
            work("late")
        finally:
            refused.set()

    @entrypoint(checkpointer=saver)
    async def main(x: str) -> Any:
        await leave(child.astream(x, stream_mode="custom"), calls)
        left.set()
        return await asyncio.to_thread(refused.wait, 5)

    assert asyncio.run(main.ainvoke("x", thread())) is True
    assert calls.made == ["early", "first"]


def test_a_stream_that_nobody_reads_runs_nothing(drive: Drive) -> None:
    calls = Calls()

    @entrypoint()
    def main(x: int) -> Any:
        loading("sync", calls).stream(x)
        return [interrupt("?"), *loading("sync").stream(1)]

    drive(main, 1)

    assert drive(main, Command(resume="!")) == ["!", [0]]
    assert calls.made == []


def test_a_run_does_not_end_before_a_child_whose_stream_is_held(saver: RedisSaver) -> None:
    held: list[Any] = []
    go = threading.Event()

    @entrypoint()
    def child(_: str) -> str:
        get_stream_writer()("first")
        go.wait(5)
        get_stream_writer()("last")
        return "value"

    @entrypoint(checkpointer=saver)
    def main(x: str) -> Any:
        stream = child.stream(x, stream_mode=["custom", "values"])
        held.append(stream)
        threading.Timer(0.02, go.set).start()
        return next(stream)

    chunks = list(main.stream("x", thread(), stream_mode="custom"))

    assert chunks == ["first", "last"]
    assert list(held[0]) == [("custom", "last"), ("values", "value")]


def test_a_stream_of_a_body_that_is_tried_again_is_over(saver: RedisSaver) -> None:
    streams: list[Any] = []

    @entrypoint(checkpointer=saver, retry_policy=AT_ONCE)
    def main(x: int) -> Any:
        streams.append(loading("sync").stream(x))
        if len(streams) == 1:
            raise ConnectionError
        with pytest.raises(RuntimeError, match="make a new one"):
            next(streams[0])
        return list(streams[1])

    assert main.invoke(1, thread()) == [[0]]


# -- facts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "data", "namespace"),
    [
        ("custom", {"id": "^a:0"}, ()),
        ("custom", 1, ("^a:01",)),
        ("step.started", {"id": "^a:00", "input": None}, ()),
        ("step.retry", {"id": "", "void_from": 1}, ()),
        ("run.finished", {"name": "main"}, ()),
        ("step.interrupted", {"id": "^a:0", "interrupts": []}, ()),
    ],
)
def test_facts_that_are_not_the_childs_are_not_seen(
    mode: str, data: Any, namespace: tuple[str, ...]
) -> None:
    assert as_run("^a:0", Fact(mode, data, namespace, 0.0)) is None


def test_ids_and_paths_begin_at_the_child() -> None:
    started = Fact("step.started", {"id": "~1/^a:0/~0/b:1/c:0", "input": None}, (), 0.0)
    message = Fact("message", {"chunk": "x", "id": "m", "step": "~1/^a:0"}, ("~1", "^a:0"), 0.0)

    below, own = as_run("~1/^a:0", started), as_run("~1/^a:0", message)

    assert below is not None and (below.data["id"], below.namespace) == (
        "~0/b:1/c:0",
        ("~0", "b:1"),
    )
    assert own is not None and (own.data["step"], own.namespace) == ("", ())
