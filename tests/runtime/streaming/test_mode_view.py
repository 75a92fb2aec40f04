"""Stream modes: what readers see, in which form and order."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import threading
from typing import Any

import pytest

from penstock.runtime import (
    Command,
    RedisSaver,
    entrypoint,
    get_stream_writer,
    interrupt,
    task,
)
from penstock.runtime.streaming.mode_view import MODES, ModeView, check_modes
from tests.runtime.flows import keys, thread


@task
def double(x: int) -> int:
    get_stream_writer()(f"doubling {x}")
    return 2 * x


@task
async def adouble(x: int) -> int:
    get_stream_writer()(f"doubling {x}")
    return 2 * x


def collect(flow: Any, value: Any, kind: str, config: Any = None, **options: Any) -> list[Any]:
    """Stream a flow in the calling thread, or on a loop."""
    config = thread() if config is None else config
    if kind == "sync":
        return list(flow.stream(value, config, **options))

    async def run() -> list[Any]:
        return [chunk async for chunk in flow.astream(value, config, **options)]

    return asyncio.run(run())


KINDS = ("sync", "async", "sync on loop")


def flows(saver: RedisSaver | None, kind: str) -> Any:
    @entrypoint(checkpointer=saver)
    def main(inputs: dict[str, int]) -> int:
        write = get_stream_writer()
        write("Started processing")
        result = inputs["x"] * 2
        write(f"Result is {result}")
        return result

    @entrypoint(checkpointer=saver, name="main")
    async def amain(inputs: dict[str, int]) -> int:
        write = get_stream_writer()
        write("Started processing")
        await asyncio.sleep(0)
        result = inputs["x"] * 2
        write(f"Result is {result}")
        return result

    return amain if kind == "async" else main


THREE_LINES = [
    ("custom", "Started processing"),
    ("custom", "Result is 10"),
    ("updates", {"main": 10}),
]


@pytest.mark.parametrize("kind", KINDS)
def test_the_three_lines_of_the_first_example(any_saver: RedisSaver | None, kind: str) -> None:
    flow = flows(any_saver, kind)

    chunks = collect(flow, {"x": 5}, kind, stream_mode=["custom", "updates"])

    assert chunks == THREE_LINES


@pytest.mark.parametrize("modes", [["custom"], ("custom",), {"custom"}])
def test_any_collection_of_modes_labels_its_chunks(modes: Any) -> None:
    assert collect(flows(None, "sync"), {"x": 5}, "sync", stream_mode=modes) == THREE_LINES[:2]


def test_one_mode_gives_bare_chunks_and_the_default_is_updates() -> None:
    flow = flows(None, "sync")

    assert collect(flow, {"x": 5}, "sync", stream_mode="custom") == [
        "Started processing",
        "Result is 10",
    ]
    assert collect(flow, {"x": 5}, "sync") == [{"main": 10}]
    assert collect(flow, {"x": 5}, "sync", stream_mode="values") == [10]


def test_namespaces_are_given_with_subgraphs() -> None:
    flow = flows(None, "sync")

    assert collect(flow, {"x": 5}, "sync", subgraphs=True) == [((), {"main": 10})]
    assert collect(flow, {"x": 5}, "sync", subgraphs=True, stream_mode=["updates"]) == [
        ((), "updates", {"main": 10})
    ]


def test_version_two_gives_one_envelope_for_everything(saver: RedisSaver) -> None:
    @entrypoint(checkpointer=saver)
    def main(x: int) -> Any:
        get_stream_writer()("hello")
        return interrupt("?") if x else x

    done = collect(main, 0, "sync", stream_mode=["custom", "updates", "values"], version="v2")
    asking = collect(main, 1, "sync", stream_mode=["values", "updates"], version="v2")

    assert done == [
        {"type": "custom", "ns": (), "data": "hello"},
        {"type": "updates", "ns": (), "data": {"main": 0}},
        {"type": "values", "ns": (), "data": 0, "interrupts": ()},
    ]
    by_type = {chunk["type"]: chunk for chunk in asking}
    assert [each.value for each in by_type["values"]["interrupts"]] == ["?"]
    assert [each.value for each in by_type["updates"]["data"]["__interrupt__"]] == ["?"]


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("mode", ["update", "", ["custom", "nonsense"]])
def test_decide_16_an_unknown_mode_is_refused_and_nothing_runs(
    any_saver: RedisSaver | None, kind: str, mode: Any
) -> None:
    ran: list[str] = []

    @entrypoint(checkpointer=any_saver)
    def main(x: str) -> str:
        ran.append(x)
        return x

    with pytest.raises(ValueError, match="unknown stream mode"):
        collect(main, "x", kind, stream_mode=mode)
    assert ran == []
    if any_saver is not None:
        assert keys(any_saver, "penstock:run:*") == []


@pytest.mark.parametrize("method", ["invoke", "stream", "ainvoke", "astream"])
def test_decide_16_unknown_keywords_are_refused(method: str) -> None:
    flow = flows(None, "sync")

    async def call() -> None:
        result = getattr(flow, method)({"x": 1}, None, nonsense=1)
        if method == "ainvoke":
            await result

    with pytest.raises(TypeError, match="nonsense"):
        asyncio.run(call())


def test_invoke_with_another_mode_returns_all_chunks() -> None:
    flow = flows(None, "sync")

    assert flow.invoke({"x": 5}, stream_mode=["custom", "updates"]) == THREE_LINES
    assert asyncio.run(flow.ainvoke({"x": 5}, stream_mode=["custom", "updates"])) == THREE_LINES


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_starts_then_speaks_then_ends_before_its_caller_goes_on(
    any_saver: RedisSaver | None, kind: str
) -> None:
    @entrypoint(checkpointer=any_saver)
    def main(_: str) -> list[int]:
        results: list[int] = []
        for x in range(3):
            results.append(double(x).result())
            get_stream_writer()(f"got {results[-1]}")
        return results

    @entrypoint(checkpointer=any_saver, name="main")
    async def amain(_: str) -> list[int]:
        results: list[int] = []
        for x in range(3):
            results.append(await double(x))
            get_stream_writer()(f"got {results[-1]}")
        return results

    chunks = collect(
        amain if kind == "async" else main,
        "x",
        kind,
        stream_mode=["tasks", "custom", "updates", "values"],
    )

    said = [_short(*chunk) for chunk in chunks]
    of_steps = [
        [f"start {x}", f"doubling {x}", f"end {2 * x}", f"update {2 * x}", f"got {2 * x}"]
        for x in range(3)
    ]
    expected = ["start main", *itertools.chain(*of_steps)]
    assert [each for each in said if "update" not in each] == [
        *(each for each in expected if "update" not in each),
        "end main",
        "value [0, 2, 4]",
    ]
    updates = [each for each in said if "update" in each]
    assert updates == ["update 0", "update 2", "update 4", "update main"]
    for x in (0, 2, 4):
        assert said.index(f"update {x}") < said.index(f"got {x}")


def _short(mode: str, chunk: Any) -> str:
    if mode == "custom":
        return str(chunk)
    if mode == "values":
        return f"value {chunk}"
    if mode == "updates":
        ((name, value),) = chunk.items()
        return f"update {name if name == 'main' else value}"
    if "triggers" in chunk:
        return f"start {chunk['name'] if chunk['name'] == 'main' else chunk['input'][0][0]}"
    return f"end {chunk['name'] if chunk['name'] == 'main' else chunk['result']['__return__']}"


def test_the_update_of_the_body_comes_after_those_of_awaited_steps(
    any_saver: RedisSaver | None,
) -> None:
    @entrypoint(checkpointer=any_saver)
    def main(count: int) -> int:
        return sum(future.result() for future in [double(x) for x in range(count)])

    updates = collect(main, 30, "sync", stream_mode=["updates", "values"])

    assert len(updates) == 32
    assert updates[-2:] == [("updates", {"main": 870}), ("values", 870)]


def test_chunks_arrive_as_they_happen(any_saver: RedisSaver | None) -> None:
    go_on = threading.Event()

    @entrypoint(checkpointer=any_saver)
    def main(_: str) -> str:
        get_stream_writer()("first")
        return "went on" if go_on.wait(2) else "never"

    chunks = main.stream("x", thread(), stream_mode=["custom", "values"])

    assert next(chunks) == ("custom", "first")
    go_on.set()
    assert list(chunks) == [("values", "went on")]


def test_nothing_runs_before_the_first_chunk_is_asked_for(any_saver: RedisSaver | None) -> None:
    ran: list[str] = []

    @entrypoint(checkpointer=any_saver)
    def main(x: str) -> str:
        ran.append(x)
        return x

    chunks = main.stream("x", thread())
    assert ran == []
    assert list(chunks) == [{"main": "x"}]


def test_all_chunks_before_a_failure_come_first_then_the_error(
    any_saver: RedisSaver | None,
) -> None:
    @entrypoint(checkpointer=any_saver)
    def main(x: int) -> None:
        double(x).result()
        raise ValueError("late")

    async def run() -> None:
        async for chunk in main.astream(1, thread(), stream_mode=["custom", "updates"]):
            got.append(chunk)

    got: list[Any] = []
    with pytest.raises(ValueError, match="late"):
        asyncio.run(run())

    assert got == [("custom", "doubling 1"), ("updates", {"double": 2})]


def test_the_chunks_before_a_failure_are_delivered_in_sync_code(
    any_saver: RedisSaver | None,
) -> None:
    @entrypoint(checkpointer=any_saver)
    def main(x: int) -> None:
        double(x).result()
        raise ValueError("late")

    chunks = main.stream(1, thread(), stream_mode=["custom", "updates"])

    assert [next(chunks), next(chunks)] == [
        ("custom", "doubling 1"),
        ("updates", {"double": 2}),
    ]
    with pytest.raises(ValueError, match="late"):
        next(chunks)


def test_a_failed_step_has_no_update_but_its_error_in_tasks(any_saver: RedisSaver | None) -> None:
    @task
    def fail() -> None:
        raise ValueError("no")

    @entrypoint(checkpointer=any_saver)
    def main(_: str) -> str:
        try:
            fail().result()
        except ValueError:
            return "caught"
        return ""

    chunks = collect(main, "x", "sync", stream_mode=["updates", "tasks"])

    assert [chunk for mode, chunk in chunks if mode == "updates"] == [{"main": "caught"}]
    (ended,) = (
        chunk
        for mode, chunk in chunks
        if mode == "tasks" and chunk["name"] == "fail" and "error" in chunk
    )
    assert isinstance(ended["error"], ValueError)
    assert (ended["result"], ended["interrupts"]) == ({}, [])


def test_tasks_mode_names_what_starts_and_what_ends(any_saver: RedisSaver | None) -> None:
    @entrypoint(checkpointer=any_saver)
    def main(x: int) -> int:
        return double(x).result()

    start, begun, ended, end = collect(main, 3, "sync", stream_mode="tasks")

    assert (start["name"], start["input"], start["triggers"]) == ("main", 3, ("__start__",))
    assert (begun["name"], begun["input"]) == ("double", ((3,), {}))
    assert begun["triggers"] == ("__pregel_push",)
    assert begun["id"] == ended["id"]
    assert (ended["error"], ended["result"], ended["interrupts"]) == (None, {"__return__": 6}, [])
    assert (end["error"], end["result"]) == (None, {"__end__": 6})


def test_debug_mode_wraps_the_same_in_step_time_and_type(any_saver: RedisSaver | None) -> None:
    @entrypoint(checkpointer=any_saver)
    def main(x: int) -> int:
        return double(x).result()

    chunks = [
        chunk
        for chunk in collect(main, 3, "sync", stream_mode="debug")
        if chunk["type"] != "checkpoint"
    ]

    assert [chunk["type"] for chunk in chunks] == ["task", "task", "task_result", "task_result"]
    assert all(set(chunk) == {"step", "timestamp", "type", "payload"} for chunk in chunks)
    assert chunks[2]["payload"]["result"] == {"__return__": 6}


def test_none_and_falsy_results_are_results() -> None:
    @task
    def nothing() -> None:
        return None

    @entrypoint()
    def main(_: str) -> None:
        nothing().result()

    chunks = collect(main, "x", "sync", stream_mode=["updates", "values"])

    assert chunks == [("updates", {"nothing": None}), ("updates", {"main": None}), ("values", None)]


@pytest.mark.parametrize("value", [None, 0, "", [], {"a": (1, {2})}, b"x", ("t",)])
def test_a_custom_event_is_exactly_what_was_written(
    any_saver: RedisSaver | None, value: Any
) -> None:
    @entrypoint(checkpointer=any_saver)
    def main(_: str) -> None:
        get_stream_writer()(value)

    (chunk,) = collect(main, "x", "sync", stream_mode="custom")

    assert chunk == value
    assert type(chunk) is type(value)


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_the_values_of_a_run_that_goes_on_begin_with_the_threads_value(
    saver: RedisSaver, kind: str
) -> None:
    @entrypoint(checkpointer=saver)
    def main(x: int) -> Any:
        return interrupt("?") if x else "first"

    (fresh,) = collect(main, 1, kind, thread("fresh"), stream_mode="values")
    assert [question.value for question in fresh["__interrupt__"]] == ["?"]
    answered = collect(main, Command(resume="a"), kind, thread("fresh"), stream_mode="values")
    assert answered == [None, "a"]

    assert collect(main, 0, kind, thread("old"), stream_mode="values") == ["first"]
    main.invoke(1, thread("old"))
    modes = ["values", "updates"]
    assert collect(main, Command(resume="b"), kind, thread("old"), stream_mode=modes) == [
        ("values", "first"),
        ("updates", {"main": "b"}),
        ("values", "b"),
    ]
    assert collect(main, None, kind, thread("old"), stream_mode="values") == ["b"]


# -- the writer ----------------------------------------------------------------------------------


def test_decide_15_a_writer_works_in_any_thread_of_the_users(any_saver: RedisSaver | None) -> None:
    @entrypoint(checkpointer=any_saver)
    def main(_: str) -> None:
        write = get_stream_writer()
        threads = [threading.Thread(target=write, args=(f"from {i}",)) for i in range(5)]
        threads.append(
            threading.Thread(
                target=contextvars.copy_context().run,
                args=(lambda: get_stream_writer()("from 5"),),
            )
        )
        for each in threads:
            each.start()
        for each in threads:
            each.join()

    chunks = collect(main, "x", "sync", stream_mode="custom")

    assert sorted(chunks) == [f"from {i}" for i in range(6)]


@pytest.mark.parametrize("kind", ["to_thread", "create_task", "executor"])
def test_a_writer_works_wherever_the_loop_sends_it(any_saver: RedisSaver | None, kind: str) -> None:
    def speak() -> None:
        get_stream_writer()("spoken")

    async def aspeak() -> None:
        speak()

    @entrypoint(checkpointer=any_saver)
    async def main(_: str) -> None:
        write = get_stream_writer()
        if kind == "to_thread":
            await asyncio.to_thread(speak)
        elif kind == "create_task":
            await asyncio.create_task(aspeak())
        else:
            await asyncio.get_running_loop().run_in_executor(None, write, "spoken")

    assert collect(main, "x", "async", stream_mode="custom") == ["spoken"]


def test_a_writer_does_nothing_where_nobody_asked_for_custom_events() -> None:
    @entrypoint()
    def main(_: str) -> str:
        get_stream_writer()(object())
        return "done"

    assert main.invoke("x") == "done"
    assert collect(main, "x", "sync", stream_mode="updates") == [{"main": "done"}]


def test_injected_and_fetched_writers_are_the_same_thing(any_saver: RedisSaver | None) -> None:
    @task
    def speak(x: int, *, writer: Any = None, runtime: Any = None) -> None:
        writer(("injected", x))
        runtime.stream_writer(("runtime", x))
        get_stream_writer()(("fetched", x))

    @entrypoint(checkpointer=any_saver)
    def main(x: int) -> None:
        speak(x).result()

    assert collect(main, 1, "sync", stream_mode="custom") == [
        ("injected", 1),
        ("runtime", 1),
        ("fetched", 1),
    ]


def test_messages_are_chunks_with_the_id_of_their_message(any_saver: RedisSaver | None) -> None:
    @task
    def talk() -> None:
        write = get_stream_writer()
        for token in ("Hel", "lo"):
            write.message(token, id="m1")

    @entrypoint(checkpointer=any_saver)
    def main(_: str) -> None:
        talk().result()

    chunks = collect(main, "x", "sync", stream_mode="messages")

    assert [chunk for chunk, _ in chunks] == ["Hel", "lo"]
    assert {meta["id"] for _, meta in chunks} == {"m1"}
    assert {meta["langgraph_node"] for _, meta in chunks} == {"talk"}


# -- nested entrypoints --------------------------------------------------------------------------


def nest(saver: RedisSaver | None) -> Any:
    @entrypoint()
    def child(x: int) -> int:
        get_stream_writer()("in child")
        return double(x).result()

    @entrypoint(checkpointer=saver)
    def main(x: int) -> int:
        return child.invoke(x)

    return main


def test_custom_events_of_nested_entrypoints_are_delivered(any_saver: RedisSaver | None) -> None:
    chunks = collect(nest(any_saver), 1, "sync", stream_mode=["custom", "updates"])

    assert [chunk for mode, chunk in chunks if mode == "custom"] == ["in child", "doubling 1"]
    assert {"double": 2} not in [chunk for mode, chunk in chunks if mode == "updates"]
    assert chunks[-1] == ("updates", {"main": 2})


def test_all_of_a_nested_entrypoint_is_seen_with_subgraphs(any_saver: RedisSaver | None) -> None:
    chunks = collect(nest(any_saver), 1, "sync", stream_mode=["updates"], subgraphs=True)

    inner = [(namespace, chunk) for namespace, _, chunk in chunks if namespace]
    assert {"double": 2} in [chunk for _, chunk in inner]
    assert chunks[-1] == ((), "updates", {"main": 2})


# -- leaving early -------------------------------------------------------------------------------


def test_closing_a_sync_stream_lets_the_run_end_and_its_result_count(saver: RedisSaver) -> None:
    @entrypoint(checkpointer=saver)
    def main(x: int, *, previous: Any = None) -> Any:
        get_stream_writer()("first")
        double(x).result()
        return [x, previous]

    chunks: Any = main.stream(1, thread(), stream_mode="custom")
    next(chunks)
    chunks.close()

    assert main.invoke(None, thread()) == [1, None]
    assert main.invoke(2, thread()) == [2, [1, None]]


def test_decide_6_dropping_a_sync_stream_after_the_last_update_keeps_the_result(
    saver: RedisSaver,
) -> None:
    @entrypoint(checkpointer=saver)
    def main(x: int, *, previous: Any = None) -> Any:
        return [x, previous]

    for chunk in main.stream(1, thread(), stream_mode="updates"):
        if "main" in chunk:
            break

    assert main.invoke(2, thread()) == [2, [1, None]]


def test_closing_an_async_stream_cancels_and_the_run_can_go_on(saver: RedisSaver) -> None:
    blocked = [True]

    @entrypoint(checkpointer=saver)
    async def main(x: int) -> int:
        done = await adouble(x)
        if blocked[0]:
            await asyncio.sleep(30)
        return done

    async def run() -> int:
        chunks: Any = main.astream(1, thread(), stream_mode="updates")
        async for chunk in chunks:
            assert chunk == {"adouble": 2}
            break
        await chunks.aclose()
        blocked[0] = False
        return int(await main.ainvoke(None, thread()))

    assert asyncio.run(run()) == 2


# -- the view itself -----------------------------------------------------------------------------


def test_modes_are_checked_one_by_one() -> None:
    assert check_modes("values") == ("values",)
    assert check_modes(["values", "custom"]) == ("values", "custom")
    assert check_modes(MODES) == MODES
    with pytest.raises(ValueError, match="'valeus'"):
        check_modes(["values", "valeus"])


def test_the_same_facts_read_from_redis_and_in_process_give_the_same_chunks() -> None:
    facts: list[tuple[str, Any, tuple[str, ...]]] = [
        ("run.started", {"name": "main"}, ()),
        ("custom", "hello", ()),
        ("step.finished", {"id": "work:0", "outcome": {"value": 1}}, ()),
        ("run.finished", {"name": "main", "status": "completed", "outcome": {"value": 2}}, ()),
    ]
    view = ModeView(("custom", "updates", "values"))

    chunks = [chunk for mode, data, ns in facts for chunk in view.chunks(mode, data, ns, 0.0)]

    assert chunks == [
        ((), "custom", "hello"),
        ((), "updates", {"work": 1}),
        ((), "updates", {"main": 2}),
        ((), "values", 2),
    ]
