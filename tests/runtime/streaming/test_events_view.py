"""`astream_events`: what happens in a run, as the events of nested units."""

from __future__ import annotations

import asyncio
import copy
import uuid
from typing import Any, cast

import pytest

from penstock.runtime import (
    CachePolicy,
    Command,
    InMemoryCache,
    InMemorySaver,
    RedisSaver,
    entrypoint,
    get_stream_writer,
    interrupt,
    sleep,
    task,
)
from penstock.runtime.errors import ConfigurationError, ResumeError
from penstock.runtime.streaming.stream_event import EventFilter, StreamEvent, Unit
from tests.runtime.flows import thread

START, STREAM, END = "on_chain_start", "on_chain_stream", "on_chain_end"


@task
def double(x: int, times: int = 1) -> int:
    return 2 * x * times


@task
async def quadruple(x: int) -> int:
    return await double(x) * 2


@task
def fail(why: str) -> None:
    raise ValueError(why)


def collect(flow: Any, value: Any, config: Any = None, **options: Any) -> list[StreamEvent]:
    """All events of a call."""

    async def run() -> list[StreamEvent]:
        config_ = thread() if config is None else config
        return [event async for event in flow.astream_events(value, config_, **options)]

    return asyncio.run(run())


def short(events: list[StreamEvent]) -> list[tuple[str, str, Any]]:
    """What happened, to whom, and the one thing that an event adds."""
    said = {START: "input", STREAM: "chunk", END: "output", "on_chat_model_stream": "chunk"}
    return [(each["event"], each["name"], each["data"][said[each["event"]]]) for each in events]


def of(events: list[StreamEvent], name: str, event: str = START) -> StreamEvent:
    """The one event of a kind that a unit has, other than the root."""
    (found,) = (
        each
        for each in events
        if (each["name"], each["event"]) == (name, event) and each["parent_ids"]
    )
    return found


def root_chunks(events: list[StreamEvent]) -> list[Any]:
    """What the root streams."""
    return [
        each["data"]["chunk"]
        for each in events
        if each["event"] == STREAM and not each["parent_ids"]
    ]


def flows(saver: RedisSaver | None, kind: str) -> Any:
    """The same workflow with a sync and with an async body."""

    @entrypoint(checkpointer=saver)
    def main(x: int) -> int:
        return double(x).result() + 1

    @entrypoint(checkpointer=saver, name="main")
    async def amain(x: int) -> int:
        return await double(x) + 1

    return amain if kind == "async" else main


@pytest.fixture(params=["sync", "async"])
def flow(request: pytest.FixtureRequest, any_saver: RedisSaver | None) -> Any:
    return flows(any_saver, request.param)


# -- what there is, and in which order -----------------------------------------------------------


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_root_body_and_steps_start_stream_and_end_inside_of_one_another(
    flow: Any, version: str
) -> None:
    assert short(collect(flow, 5, version=version)) == [
        (START, "main", 5),
        (START, "main", 5),
        (START, "double", {"x": 5, "times": 1}),
        (STREAM, "double", 10),
        (END, "double", 10),
        (STREAM, "main", {"double": 10}),
        (STREAM, "main", 11),
        (END, "main", 11),
        (STREAM, "main", {"main": 11}),
        (END, "main", 11),
    ]


def test_parents_tags_and_names_tell_the_units_apart(flow: Any) -> None:
    events = collect(flow, 5, thread(run_name="request", tags=["mine"]))
    root, body, step = events[:3]

    assert [each["name"] for each in (root, body, step)] == ["request", "main", "double"]
    assert root["parent_ids"] == []
    assert body["parent_ids"] == [root["run_id"]]
    assert step["parent_ids"] == [root["run_id"], body["run_id"]]
    assert root["tags"] == ["mine"]
    assert body["tags"] == ["graph:step:0", "mine"]
    assert step["tags"] == ["seq:step:1", "mine"]


def test_all_events_of_a_unit_say_the_same_of_it(flow: Any) -> None:
    told: dict[str, set[str]] = {}

    for each in collect(flow, 5, thread(tags=["mine"])):
        event = {key: each[key] for key in ("name", "parent_ids", "tags", "metadata")}
        told.setdefault(each["run_id"], set()).add(repr(event))

    assert [len(each) for each in told.values()] == [1, 1, 1]


def test_metadata_say_where_a_unit_stands(flow: Any) -> None:
    root, body, step = collect(flow, 5, thread(metadata={"user": 7}))[:3]
    common = {"user": 7, "thread_id": "thread"}

    assert root["metadata"] == common
    assert body["metadata"] == {
        **common,
        "langgraph_step": 0,
        "langgraph_node": "main",
        "langgraph_triggers": ("__start__",),
        "langgraph_path": (),
        "langgraph_checkpoint_ns": "",
        "checkpoint_ns": "",
    }
    assert step["metadata"] == {
        **common,
        "langgraph_step": 0,
        "langgraph_node": "double",
        "langgraph_triggers": ("__pregel_push",),
        "langgraph_path": ("double:0",),
        "langgraph_checkpoint_ns": "double:0",
        "checkpoint_ns": "double:0",
    }


def test_a_run_without_a_thread_is_its_own_thread() -> None:
    root, *_ = collect(flows(None, "sync"), 5, {})

    assert root["metadata"] == {"thread_id": root["run_id"]}


def test_the_step_number_goes_on_with_the_thread(saver: RedisSaver) -> None:
    flow = flows(saver, "sync")
    collect(flow, 1)

    body = of(collect(flow, 2), "main")

    assert body["tags"] == ["graph:step:2"]
    assert body["metadata"]["langgraph_step"] == 2


def test_an_end_repeats_the_input_but_the_root_has_its_output_only(flow: Any) -> None:
    events = collect(flow, 5)

    assert of(events, "double", END)["data"] == {"output": 10, "input": {"x": 5, "times": 1}}
    assert of(events, "main", END)["data"] == {"output": 11, "input": 5}
    assert events[-1]["data"] == {"output": 11}


def test_ids_are_made_of_the_run_and_the_step(saver: RedisSaver) -> None:
    flow = flows(saver, "sync")

    root, body, step = collect(flow, 5)[:3]

    assert flow.get_state(thread()).run_id == root["run_id"]
    base = uuid.uuid5(uuid.NAMESPACE_OID, root["run_id"])
    assert body["run_id"] == str(uuid.uuid5(base, ""))
    assert step["run_id"] == str(uuid.uuid5(base, "double:0"))


def test_a_reader_may_keep_and_change_an_event(flow: Any) -> None:
    async def run() -> list[StreamEvent]:
        got: list[StreamEvent] = []
        async for event in flow.astream_events(5, thread(tags=["mine"])):
            got.append(copy.deepcopy(event))
            event["tags"].clear()
            event["metadata"].clear()
            event["parent_ids"].append("other")
            event["data"].clear()
        return got

    got = asyncio.run(run())

    assert short(got) == short(collect(flow, 5))
    assert all("mine" in event["tags"] and event["metadata"]["thread_id"] for event in got)
    assert not any("other" in event["parent_ids"] for event in got)


def test_events_arrive_as_they_happen_and_nothing_runs_before_they_are_asked_for(
    any_saver: RedisSaver | None,
) -> None:
    ran: list[str] = []

    async def run() -> None:
        go_on = asyncio.Event()

        @entrypoint(checkpointer=any_saver)
        async def main(x: str) -> str:
            ran.append(x)
            await go_on.wait()
            return x

        events = main.astream_events("x", thread())
        assert ran == []
        assert [(await anext(events))["event"] for _ in range(2)] == [START, START]
        go_on.set()
        assert [event["event"] async for event in events] == [STREAM, END, STREAM, END]

    asyncio.run(run())
    assert ran == ["x"]


def test_a_reader_that_leaves_cancels_the_body(any_saver: RedisSaver | None) -> None:
    ended: list[str] = []

    async def run() -> None:
        @entrypoint(checkpointer=any_saver)
        async def main(_: int) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("main")

        events: Any = main.astream_events(1, thread())
        for _ in range(2):
            await anext(events)
        await asyncio.sleep(0)
        await events.aclose()

    asyncio.run(run())
    assert ended == ["main"]


# -- inputs --------------------------------------------------------------------------------------


def test_arguments_are_named_by_their_parameters_whoever_fills_them_in() -> None:
    @task
    def work(x: int, *more: int, writer: Any, flag: bool = False, **named: str) -> int:
        return x

    @entrypoint()
    def main(_: int) -> None:
        cast(Any, work)(1, 2, 3, a="b").result()

    assert of(collect(main, 1), "work")["data"]["input"] == {
        "x": 1,
        "more": (2, 3),
        "flag": False,
        "a": "b",
    }


def test_arguments_that_do_not_fit_are_shown_as_they_are() -> None:
    @entrypoint()
    def main(_: int) -> str:
        wrong = cast(Any, double)
        try:
            wrong(1, 2, 3, y=4).result()
        except TypeError:
            return "refused"
        return ""

    events = collect(main, 1)

    assert of(events, "double")["data"] == {"input": ((1, 2, 3), {"y": 4})}
    assert events[-1]["data"] == {"output": "refused"}


# -- depth ---------------------------------------------------------------------------------------


def test_a_task_called_in_a_task_has_both_above_it(any_saver: RedisSaver | None) -> None:
    @entrypoint(checkpointer=any_saver)
    async def main(x: int) -> int:
        return await quadruple(x)

    events = collect(main, 1)
    outer, inner = of(events, "quadruple"), of(events, "double")

    assert inner["parent_ids"] == [*outer["parent_ids"], outer["run_id"]]
    assert inner["metadata"]["langgraph_path"] == ("quadruple:0", "double:0")


@pytest.mark.parametrize("persistence", [None, False, True])
def test_a_nested_entrypoint_is_one_unit_with_its_steps_below(
    saver: RedisSaver, persistence: bool | None
) -> None:
    @entrypoint(checkpointer=persistence)
    async def child(x: int) -> entrypoint.final[int, str]:
        return entrypoint.final(value=await double(x), save="kept")

    @entrypoint(checkpointer=saver)
    async def main(x: int) -> Any:
        return await child.ainvoke(x)

    events = collect(main, 3)
    body, nested, step = (of(events, name) for name in ("main", "child", "double"))

    assert nested["data"] == {"input": 3}
    assert nested["tags"] == ["graph:step:0"]
    assert nested["parent_ids"] == [events[0]["run_id"], body["run_id"]]
    assert step["parent_ids"] == [*nested["parent_ids"], nested["run_id"]]
    assert step["metadata"]["langgraph_checkpoint_ns"] == "^child:0|double:0"
    assert of(events, "child", END)["data"] == {"output": 6, "input": 3}


def test_steps_of_an_asyncio_task_have_the_body_above_them(any_saver: RedisSaver | None) -> None:
    async def branch(x: int) -> int:
        return await double(x)

    @entrypoint(checkpointer=any_saver)
    async def main(x: int) -> list[int]:
        return await asyncio.gather(*(asyncio.create_task(branch(y)) for y in range(x)))

    starts = [event for event in collect(main, 3) if event["event"] == START]
    root, body, *steps = starts

    assert len({step["run_id"] for step in steps}) == 3
    assert all(step["parent_ids"] == [root["run_id"], body["run_id"]] for step in steps)


# -- what does not come to an end ----------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_step_whose_failure_is_caught_has_a_start_only(
    any_saver: RedisSaver | None, kind: str
) -> None:
    @entrypoint(checkpointer=any_saver)
    def main(_: int) -> str:
        try:
            fail("no").result()
        except ValueError as error:
            return str(error)
        return ""

    @entrypoint(checkpointer=any_saver, name="main")
    async def amain(_: int) -> str:
        try:
            await fail("no")
        except ValueError as error:
            return str(error)
        return ""

    events = collect(amain if kind == "async" else main, 1)

    assert [each["event"] for each in events if each["name"] == "fail"] == [START]
    assert short(events)[-1] == (END, "main", "no")


def test_a_failing_run_gives_its_starts_and_raises(any_saver: RedisSaver | None) -> None:
    @entrypoint(checkpointer=any_saver)
    def main(x: int) -> None:
        double(x).result()
        fail("late").result()

    got: list[StreamEvent] = []

    async def run() -> None:
        async for event in main.astream_events(1, thread()):
            got.append(event)

    with pytest.raises(ValueError, match="late"):
        asyncio.run(run())
    assert [(event["event"], event["name"]) for event in got] == [
        (START, "main"),
        (START, "main"),
        (START, "double"),
        (STREAM, "double"),
        (END, "double"),
        (STREAM, "main"),
        (START, "fail"),
    ]


def test_a_step_that_is_tried_again_is_one_unit(any_saver: RedisSaver | None) -> None:
    tries: list[int] = []

    @task(retry_policy=2)
    def flaky() -> int:
        tries.append(1)
        if len(tries) == 1:
            raise ConnectionError("first")
        return len(tries)

    @entrypoint(checkpointer=any_saver)
    def main(_: int) -> int:
        return flaky().result()

    events = collect(main, 1, stream_mode=["retry"])

    assert [each["event"] for each in events if each["name"] == "flaky"] == [START, STREAM, END]
    (retry,) = root_chunks(events)
    assert (retry[0], retry[1]["name"]) == ("retry", "flaky")


def test_a_run_that_asks_ends_without_output_and_goes_on_with_the_same_ids(
    saver: RedisSaver,
) -> None:
    @entrypoint(checkpointer=saver)
    def main(x: int) -> Any:
        return double(x).result() + interrupt("more?")

    asking = collect(main, 1)
    answered = collect(main, Command(resume=5))

    stop = root_chunks(asking)[-1]
    assert [question.value for question in stop["__interrupt__"]] == ["more?"]
    assert short(asking)[-1] == (END, "main", None)
    assert len([each for each in asking if each["event"] == END]) == 2
    assert short(answered) == [
        (START, "main", Command(resume=5)),
        (START, "main", 1),
        (STREAM, "main", 7),
        (END, "main", 7),
        (STREAM, "main", {"main": 7}),
        (END, "main", 7),
    ]
    assert [each["run_id"] for each in answered[:2]] == [each["run_id"] for each in asking[:2]]


def test_steps_that_are_recorded_already_give_no_events(saver: RedisSaver) -> None:
    @entrypoint()
    def child(x: int) -> int:
        return double(x).result()

    @entrypoint(checkpointer=saver)
    def main(x: int) -> Any:
        try:
            fail("no").result()
        except ValueError:
            return child.invoke(x) + interrupt("more?")

    assert {each["name"] for each in collect(main, 1)} == {"main", "fail", "child", "double"}
    assert {each["name"] for each in collect(main, Command(resume=5))} == {"main"}


def test_a_run_that_is_over_has_a_root_only(saver: RedisSaver) -> None:
    flow = flows(saver, "sync")
    collect(flow, 5)

    assert short(collect(flow, None)) == [(START, "main", None), (END, "main", 11)]
    assert short(collect(flow, None, stream_mode="values")) == [
        (START, "main", None),
        (STREAM, "main", 11),
        (END, "main", 11),
    ]


def test_a_run_that_is_held_before_its_body_has_a_root_only(saver: RedisSaver) -> None:
    flow = flows(saver, "sync")

    assert short(collect(flow, 5, interrupt_before="*")) == [
        (START, "main", 5),
        (STREAM, "main", {"__interrupt__": ()}),
        (END, "main", None),
    ]


def test_a_step_from_the_cache_ends_like_any_other(any_saver: RedisSaver | None) -> None:
    @task(cache_policy=CachePolicy())
    def work(x: int) -> int:
        return x + 1

    @entrypoint(checkpointer=any_saver, cache=InMemoryCache())
    def main(x: int) -> int:
        return work(x).result()

    first, second = (short(collect(main, 1)) for _ in range(2))

    assert [each for each in first if each[1] == "work"] == [
        (START, "work", {"x": 1}),
        (STREAM, "work", 2),
        (END, "work", 2),
    ]
    assert [each for each in second if each[1] == "work"] == [
        each for each in first if each[1] == "work"
    ]


# -- what the root streams -----------------------------------------------------------------------


def test_the_root_streams_the_chunks_of_the_modes_that_are_asked_for(
    any_saver: RedisSaver | None,
) -> None:
    @task
    def speak() -> None:
        get_stream_writer()("hello")

    @entrypoint(checkpointer=any_saver)
    def main(_: int) -> str:
        speak().result()
        return "done"

    events = collect(main, 1, stream_mode=["custom", "values"])

    assert root_chunks(events) == [("custom", "hello"), ("values", "done")]
    assert not any("hello" in repr(each["data"]) for each in collect(main, 1))


def test_nested_chunks_come_with_their_namespace_when_asked_for(
    any_saver: RedisSaver | None,
) -> None:
    @entrypoint()
    def child(x: int) -> int:
        return double(x).result()

    @entrypoint(checkpointer=any_saver)
    def main(x: int) -> int:
        return child.invoke(x)

    events = collect(main, 1, subgraphs=True)

    assert root_chunks(events) == [
        (("^child:0",), {"double": 2}),
        (("^child:0",), {"child": 2}),
        ((), {"main": 2}),
    ]


def test_the_output_follows_the_output_keys(saver: RedisSaver) -> None:
    @entrypoint(checkpointer=saver)
    def main(x: int) -> entrypoint.final[int, str]:
        return entrypoint.final(value=x, save="saved")

    shown = collect(main, 1, output_keys=["__end__", "__previous__"])

    assert of(shown, "main", END)["data"]["output"] == 1
    assert shown[-1]["data"] == {"output": {"__end__": 1, "__previous__": "saved"}}


def test_what_is_to_be_printed_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    collect(flows(None, "sync"), 5, print_mode="updates")

    assert capsys.readouterr().out == "[updates] {'double': 10}\n[updates] {'main': 11}\n"


def test_an_interrupt_after_the_body_comes_before_the_root_ends(saver: RedisSaver) -> None:
    events = short(collect(flows(saver, "sync"), 5, interrupt_after="*"))

    assert events[-2:] == [(STREAM, "main", {"__interrupt__": ()}), (END, "main", 11)]


def test_a_run_that_sleeps_in_this_process_ends_as_any_other(any_saver: RedisSaver | None) -> None:
    @entrypoint(checkpointer=any_saver)
    def main(x: int) -> int:
        sleep(0.001)
        return x

    assert short(collect(main, 1))[-1] == (END, "main", 1)


# -- messages ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_chunks_of_messages_are_events_of_a_chat_model_in_their_step(
    any_saver: RedisSaver | None, kind: str
) -> None:
    @task
    def talk() -> None:
        for token in ("Hel", "lo"):
            get_stream_writer().message(token, id="m1")

    @entrypoint(checkpointer=any_saver)
    def main(_: int) -> None:
        talk().result()
        get_stream_writer().message("bye", id="m2")

    @entrypoint(checkpointer=any_saver, name="main")
    async def amain(_: int) -> None:
        await talk()
        get_stream_writer().message("bye", id="m2")

    events = collect(amain if kind == "async" else main, 1, include_types=["chat_model"])
    all_events = collect(amain if kind == "async" else main, 1)
    step, body = of(all_events, "talk"), of(all_events, "main")
    again = [each for each in all_events if each["event"] == "on_chat_model_stream"]

    assert short(events) == [
        ("on_chat_model_stream", "talk", "Hel"),
        ("on_chat_model_stream", "talk", "lo"),
        ("on_chat_model_stream", "main", "bye"),
    ]
    assert [each["metadata"]["id"] for each in events] == ["m1", "m1", "m2"]
    assert again[0]["run_id"] == again[1]["run_id"] != again[2]["run_id"]
    assert again[0]["parent_ids"] == [*step["parent_ids"], step["run_id"]]
    assert again[2]["parent_ids"] == [*body["parent_ids"], body["run_id"]]
    assert again[0]["metadata"]["langgraph_node"] == "talk"


# -- filters -------------------------------------------------------------------------------------


UNIT = Unit("chain", "double", "1", (), ("seq:step:1", "mine"), {})


@pytest.mark.parametrize(
    ("wanted", "is_wanted"),
    [
        ({}, True),
        ({"include_names": ["double", "other"]}, True),
        ({"include_names": ["other"]}, False),
        ({"include_names": []}, False),
        ({"include_types": ["chain"]}, True),
        ({"include_types": ["chat_model"]}, False),
        ({"include_tags": ["mine", "yours"]}, True),
        ({"include_tags": ["yours"]}, False),
        ({"include_names": ["other"], "include_tags": ["mine"]}, True),
        ({"exclude_names": ["double"]}, False),
        ({"exclude_types": ["chain"]}, False),
        ({"exclude_tags": ["yours", "mine"]}, False),
        ({"exclude_names": ["other"]}, True),
        ({"include_names": ["double"], "exclude_tags": ["mine"]}, False),
    ],
)
def test_one_include_is_enough_and_one_exclude_too_much(
    wanted: dict[str, Any], is_wanted: bool
) -> None:
    assert EventFilter(**wanted).wants(UNIT) is is_wanted


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ({"include_names": ["double"]}, {"double"}),
        ({"include_tags": ["seq:step:1"]}, {"double"}),
        ({"exclude_tags": ["seq:step:1"]}, {"main"}),
        ({"exclude_names": ["main"]}, {"double"}),
        ({"exclude_types": ["chain"]}, set[str]()),
        ({"include_types": ["chain"]}, {"main", "double"}),
    ],
)
def test_filters_choose_among_the_events(
    flow: Any, wanted: dict[str, Any], names: set[str]
) -> None:
    assert {each["name"] for each in collect(flow, 5, **wanted)} == names


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["v3", "", None])
def test_other_versions_are_refused_at_once(flow: Any, version: Any) -> None:
    with pytest.raises(ConfigurationError, match="use astream"):
        flow.astream_events(5, thread(), version=version)


def test_unknown_keywords_and_modes_are_refused_at_once(flow: Any) -> None:
    with pytest.raises(TypeError, match="include_name"):
        flow.astream_events(5, thread(), include_name=["double"])
    with pytest.raises(ValueError, match="valuez"):
        flow.astream_events(5, thread(), stream_mode="valuez")


def test_an_entrypoint_for_nesting_alone_is_refused() -> None:
    @entrypoint(checkpointer=True)
    def child(x: int) -> int:
        return x

    with pytest.raises(RuntimeError, match="nested"):
        child.astream_events(1)


def test_an_answer_to_nothing_is_refused_before_any_event() -> None:
    with pytest.raises(ResumeError):
        collect(flows(InMemorySaver(), "sync"), Command(resume=1))
