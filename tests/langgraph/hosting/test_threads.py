"""The threads of hosted graphs as clients see them: without LangGraph what LangGraph shows."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import datetime
import decimal
import enum
import json
import pathlib
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, TypedDict, cast

import pytest
from langchain_core.messages import HumanMessage
from langgraph.channels.delta import DeltaChannel
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt
from langgraph.types import StateSnapshot as LangGraphState
from pydantic import BaseModel, SecretStr

from penstock.langgraph import PenstockSaver, host
from penstock.langgraph.plain import plain
from penstock.langgraph.redis.calls import TOLD
from penstock.langgraph.redis.plans.states import GraphStates
from penstock.publisher.errors import CodecError
from penstock.publisher.plan import follow
from penstock.publisher.redis.script import run as run_script
from penstock.runtime.client.run import RunHandle
from penstock.runtime.errors import (
    ConfigurationError,
    InvalidUpdateError,
    NoWorkerError,
    ThreadBusyError,
    UnknownCheckpointError,
)
from penstock.runtime.redis.keys import thread_key
from penstock.runtime.settings import load_settings
from penstock.runtime.testing import InMemoryWorker
from penstock.runtime.types.state import CheckpointRef, StateSnapshot
from tests.langgraph import graphs
from tests.langgraph.graphs import Graph, of
from tests.langgraph.hosting.mortal import Mortal

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")


@pytest.fixture
def worker() -> Iterator[InMemoryWorker]:
    with InMemoryWorker([host(graphs.agent(None), name="agent")]) as worker:
        yield worker


def run(worker: InMemoryWorker, graph: Graph, given: Any, **options: Any) -> RunHandle:
    """Execute a run of a graph on thread "t", as far as it goes."""
    agent = host(graph, name="agent")
    cast(Any, worker.app.entrypoints)["agent"] = agent
    handle = worker.client.enqueue(agent, given, thread_id="t", **options)
    worker.work()
    return handle


KEYS = "k1:" + base64.b64encode(bytes(32)).decode()

CASES: list[tuple[Any, Any, list[str]]] = [
    (graphs.agent, {"messages": [HumanMessage("hello", id="h")]}, []),
    (graphs.map_reduce, {"words": ["three", "one"]}, []),
    (graphs.asking, {"log": ["begin"]}, ["left?", "sure?", "{'side': 'right'}"]),
    (graphs.nested, {"log": ["in"]}, ["child?", "child?"]),
    (graphs.failing, {"log": ["begin"]}, []),
    (graphs.functional, [1, 2], ["sum is 6, before None"]),
]


@pytest.mark.parametrize(("build", "given", "asks"), CASES, ids=[c[0].__name__ for c in CASES])
@pytest.mark.parametrize("durability", ["async", "exit"])
def test_states_are_those_of_langgraph(
    worker: InMemoryWorker, build: Any, given: Any, asks: list[str], durability: str
) -> None:
    graph = build(None)
    handle = run(worker, graph, given, durability=durability)
    assert_same_states(worker, graph)
    for value in asks:
        asked = {str(each.value): each.id for each in handle.result(0)["__interrupt__"]}
        handle.resume({asked[value]: "yes"})
        worker.work()
        assert_same_states(worker, graph)


def assert_same_states(worker: InMemoryWorker, graph: Graph) -> None:
    """Compare the state and the history of thread "t" with what the graph itself shows."""
    with PenstockSaver(worker.connection) as saver:
        bound = graph.copy({"checkpointer": saver})
        config: Any = {"configurable": {"thread_id": "t"}}
        state, deep = bound.get_state(config), bound.get_state(config, subgraphs=True)
        history = list(bound.get_state_history(config))
    thread = worker.client.thread("t")

    assert history
    assert seen(thread.state()) == seen(state)
    assert seen(thread.state(subgraphs=True)) == seen(deep)
    assert [seen(each) for each in thread.history()] == list(map(seen, history))
    for each in history:
        assert seen(thread.state(each.config)) == seen(each)


def seen(state: Any) -> Any:
    """Return what a state shows, as plain data; tasks of one superstep have no order here."""
    place = state.config["configurable"]
    parent: Any = state.parent_config or {"configurable": {}}
    return {
        "values": plain(state.values),
        "next": sorted(state.next),
        "place": [place.get(name) for name in ("checkpoint_id", "checkpoint_ns", "thread_id")],
        "parent": parent["configurable"].get("checkpoint_id"),
        "metadata": plain(state.metadata),
        "created_at": state.created_at,
        "tasks": sorted((task_seen(task) for task in state.tasks), key=lambda task: task["id"]),
        "interrupts": sorted(each.id for each in state.interrupts),
    }


def task_seen(task: Any) -> Any:
    state: Any = task.state
    if isinstance(state, StateSnapshot | LangGraphState):
        state = seen(state)
    return {
        "id": task.id,
        "name": task.name,
        "error": task.error and str(task.error),
        "interrupts": [[each.id, plain(each.value)] for each in task.interrupts],
        "result": plain(task.result),
        "state": state,
    }


def test_values_of_delta_channels_are_those_of_the_newest_point(worker: InMemoryWorker) -> None:
    result = run(worker, graphs.deltas(None), {"all": ["in"], "some": []}).result(0)

    thread = worker.client.thread("t")
    assert thread.state().values == result == next(thread.history()).values


class Colour(enum.Enum):
    RED = "red"


class Label(BaseModel):
    text: str
    secret: SecretStr = SecretStr("hidden")


@dataclasses.dataclass
class Mixed:
    when: datetime.datetime
    colour: Colour
    label: Label
    many: set[int]
    price: decimal.Decimal
    id: uuid.UUID
    path: pathlib.Path


MIXED = Mixed(
    datetime.datetime(2030, 1, 2, tzinfo=datetime.UTC),
    Colour.RED,
    Label(text="x"),
    {1},
    decimal.Decimal("1.50"),
    uuid.UUID(int=7),
    pathlib.Path("a/b"),
)


def storing(value: Any) -> Graph:
    """A graph of one node that stores a value."""
    builder: Graph = StateGraph(graphs.Log)
    builder.add_node("only", of(lambda state: {"log": [value]}))
    builder.add_edge(START, "only")
    return builder.compile()


@pytest.mark.parametrize("keys", ["", KEYS])
def test_values_are_plain_data(keys: str) -> None:
    agent = host(storing(MIXED), name="agent", types=[Mixed, Colour, Label, SecretStr])
    settings = dataclasses.replace(load_settings(), encryption_keys=keys)
    with InMemoryWorker([agent], settings=settings) as worker:
        handle = worker.client.enqueue(agent, {"log": []}, thread_id="t")
        worker.work()
        result = handle.result(0)
        values = worker.client.thread("t").state().values

    assert values == {"log": [{**plain(MIXED), "label": {"text": "x", "secret": "**********"}}]}
    assert values["log"][0]["when"] == result["log"][0]["when"] == MIXED.when


def test_what_a_serializer_of_ones_own_wrote_is_read_by_the_graph_alone(
    worker: InMemoryWorker,
) -> None:
    agent = host(storing("x"), name="agent", serde=Reversed())
    cast(Any, worker.app.entrypoints)["agent"] = agent
    worker.client.enqueue(agent, {"log": []}, thread_id="t")
    worker.work()

    with pytest.raises(CodecError, match="'reversed' of a serializer of the graph's own"):
        worker.client.thread("t").state()


class Reversed:
    """Writes JSON backwards."""

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        return "reversed", json.dumps(obj, default=str)[::-1].encode()

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        return json.loads(data[1].decode()[::-1])


def test_a_history_is_read_page_by_page(worker: InMemoryWorker) -> None:
    def counting(state: graphs.Log) -> Any:
        return {"log": ["x"]}

    builder: Graph = StateGraph(graphs.Log)
    builder.add_node("again", counting)
    builder.add_edge(START, "again")
    builder.add_conditional_edges(
        "again", of(lambda state: "again" if len(state["log"]) < 30 else END), ["again", END]
    )
    run(worker, builder.compile(), {"log": []})
    thread = worker.client.thread("t")

    states = list(thread.history())

    assert [len(state.values["log"]) for state in states] == [*range(30, -1, -1), 0]
    config = states[4].config
    assert [state.config for state in thread.history(before=config, limit=23)] == [
        state.config for state in states[5:28]
    ]
    (given,) = thread.history(filter={"source": "input"})
    assert given.config == states[-1].config
    assert thread.state("1ef00000-0000-6000-8000-000000000000").values == {}


def test_a_history_is_read_no_further_than_it_is_asked_for(worker: InMemoryWorker) -> None:
    run(worker, graphs.agent(None), {"messages": [HumanMessage("hello", id="h")]})
    states = list(worker.client.thread("t").history())
    plans = GraphStates(worker.settings)
    sent: list[Any] = []

    def ask(request: Any) -> Any:
        sent.append(request.args)
        return run_script(worker.connection, request)

    found, before = follow(plans.history(CheckpointRef("t"), {}, 2), ask)

    assert [each.config for each in found] == [each.config for each in states[:2]]
    assert before == found[-1].config["configurable"]["checkpoint_id"]
    assert sent == [(TOLD, b"", 2)]


def test_a_subgraph_has_a_history_of_its_own(worker: InMemoryWorker) -> None:
    run(worker, graphs.nested(None), {"log": ["in"]})
    thread = worker.client.thread("t")
    (task,) = thread.state().tasks

    assert thread.state(task.state).next == ("ask",)
    assert [state.next for state in thread.history(before=task.state)] == [
        ("ask",),
        ("think",),
        ("__start__",),
    ]


def test_states_are_read_without_langgraph() -> None:
    code = """
import sys
for name in ("langgraph", "langchain_core", "langchain", "langsmith"):
    sys.modules[name] = None
from penstock.langgraph.redis.plans.states import GraphStates
from penstock.runtime.settings import load_settings
GraphStates(load_settings())
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def updated(worker: InMemoryWorker, *args: Any, **options: Any) -> Any:
    """Update the state of thread "t", while a worker works."""
    with ThreadPoolExecutor(1) as pool:
        update = pool.submit(worker.client.thread("t").update, *args, **options)
        while not update.done():
            worker.work()
            time.sleep(0.01)
    return update.result()


def test_a_state_is_updated_as_a_node_would_and_the_thread_goes_on(worker: InMemoryWorker) -> None:
    graph = graphs.agent(None)
    run(worker, graph, {"messages": [HumanMessage("hello", id="h")]}).result(0)

    config = updated(worker, {"messages": [HumanMessage("no: bye", id="x")]}, as_node="__start__")

    thread = worker.client.thread("t")
    assert [each.entrypoint for each in worker.client.runs()] == ["agent"]
    state = thread.state()
    assert state.config == config
    assert state.next == ("model",)
    assert (state.metadata or {})["source"] == "update"
    assert_same_states(worker, graph)
    result = run(worker, graph, None).result(0)
    assert result["messages"][-1]["content"] == "7, NO: BYE"


def test_an_update_of_what_waits_ends_its_questions_and_any_answer_goes_on(
    worker: InMemoryWorker,
) -> None:
    handle = run(worker, graphs.asking(None), {"log": ["begin"]})
    assert len(handle.result(0)["__interrupt__"]) == 2

    updated(worker, {"log": ["told"]}, as_node="left")

    (asked,) = handle.result(0)["__interrupt__"]
    assert asked.value == {"before": ["end"]}
    handle.resume(None)
    worker.work()
    assert handle.result(0) == {"log": ["begin", "told", "end"]}  # as LangGraph does it


class Growing(TypedDict):
    log: Annotated[list[str], DeltaChannel(graphs.joined)]


def test_an_update_that_is_stored_is_no_error_though_its_values_are_too_large_to_be_shown() -> None:
    builder: Graph = StateGraph(Growing)
    builder.add_node("only", of(lambda state: {}))
    builder.add_edge(START, "only")
    graph = builder.compile()
    settings = dataclasses.replace(load_settings(), value_limit=1000)
    with InMemoryWorker([host(graph, name="agent")], settings=settings) as worker:
        run(worker, graph, {"log": ["a" * 600]}).result(0)

        config = updated(worker, {"log": ["b" * 600]}, as_node="only")

        assert worker.client.thread("t").state().config == config
        with PenstockSaver(worker.connection) as saver:
            state = graph.copy({"checkpointer": saver}).get_state(config)
        assert state.values == {"log": ["a" * 600, "b" * 600]}


def test_an_update_stores_of_a_list_what_is_new(worker: InMemoryWorker) -> None:
    run(worker, storing("x"), {"log": ["a" * 1000]}).result(0)

    updated(worker, {"log": ["y"]}, as_node="only")

    (space,) = cast("list[bytes]", worker.connection.keys("penstock:graph:*:????????????????"))
    stored = cast("dict[bytes, bytes]", worker.connection.hgetall(space)).items()
    sizes = [len(value) for name, value in stored if name.startswith(b"v log ")]
    assert [size > 1000 for size in sorted(sizes)] == [False, False, True]


def test_an_update_of_an_older_point_branches_off(worker: InMemoryWorker) -> None:
    run(worker, storing("x"), {"log": ["a"]}).result(0)
    thread = worker.client.thread("t")
    first = list(thread.history())[-2]

    config = updated(worker, {"log": ["changed"]}, first.config, as_node="only")

    assert thread.state().config == config
    assert thread.state().parent_config == first.config
    assert thread.state().values == {"log": ["a", "changed"]}


def test_an_update_that_a_graph_refuses_says_why(worker: InMemoryWorker) -> None:
    handle = run(worker, graphs.agent(None), {"messages": [HumanMessage("hello", id="h")]})
    before = worker.client.thread("t").state()

    with pytest.raises(InvalidUpdateError, match=r"thread 't' was not updated: .*nobody"):
        updated(worker, {"messages": []}, as_node="nobody")
    with pytest.raises(UnknownCheckpointError, match="no checkpoint '7'"):
        updated(worker, {"messages": []}, "7", as_node="model")
    assert worker.client.thread("t").state() == before
    assert handle.status() == "completed"


def test_an_update_without_a_worker_is_not_made_later(
    worker: InMemoryWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = graphs.agent(None)
    run(worker, graph, {"messages": [HumanMessage("hello", id="h")]})
    before = worker.client.thread("t").state()
    monkeypatch.setattr("penstock.runtime.client.thread.PATIENCE", 0.05)

    with pytest.raises(NoWorkerError, match="graph 'agent'"):
        worker.client.thread("t").update({"messages": []}, as_node="model")
    worker.work()

    assert worker.client.thread("t").state() == before


def test_a_thread_without_a_graph_has_no_nodes(worker: InMemoryWorker) -> None:
    with pytest.raises(InvalidUpdateError, match="has no node 'model'"):
        worker.client.thread("other").update(1, as_node="model")


@pytest.mark.anyio
async def test_an_update_is_made_from_asyncio_code(worker: InMemoryWorker) -> None:
    await asyncio.to_thread(run, worker, storing("x"), {"log": ["a"]})
    async with worker.aclient as client:
        update = asyncio.create_task(client.thread("t").update({"log": ["y"]}, as_node="only"))
        while not update.done():
            await worker.awork()
            await asyncio.sleep(0.01)
        state = await client.thread("t").state()

    assert state.config == update.result()
    assert state.values == {"log": ["a", "x", "y"]}


def test_nobody_else_stores_on_a_thread_that_a_run_is_at_work_on(worker: InMemoryWorker) -> None:
    graph = graphs.agent(None)
    run(worker, graph, {"messages": [HumanMessage("hello", id="h")]})
    with PenstockSaver(worker.connection) as saver:
        bound = graph.copy({"checkpointer": saver})
        config: Any = {"configurable": {"thread_id": "t"}}
        bound.update_state(config, {"messages": [HumanMessage("mine", id="h2")]}, as_node="model")
        waiting = worker.client.enqueue("agent", {"messages": ["more"]}, thread_id="t")

        with pytest.raises(ThreadBusyError, match=f"run '{waiting.run_id}'.* is at work"):
            bound.update_state(config, {"messages": []}, as_node="model")
        with pytest.raises(ThreadBusyError):
            bound.invoke({"messages": ["other"]}, config)

        worker.work()
    said = [message["content"] for message in waiting.result(0)["messages"]]
    assert said[5:7] == ["mine", "more"]
    assert "other" not in said


@pytest.mark.parametrize("keys", ["", KEYS])
def test_a_thread_is_copied_with_its_history(keys: str) -> None:
    settings = dataclasses.replace(load_settings(), encryption_keys=keys)
    graph = graphs.asking(None)
    with InMemoryWorker([host(graph, name="agent")], settings=settings) as worker:
        handle = run(worker, graph, {"log": ["begin"]})
        thread = worker.client.thread("t")

        copy = thread.copy("copy")

        states = [thread.state(), *thread.history()], [copy.state(), *copy.history()]
        shown = [[(each.values, each.next, each.tasks) for each in found] for found in states]
        assert shown[0] == shown[1]
        with pytest.raises(ConfigurationError, match="'copy' has a state already"):
            thread.copy("copy")
        handle.resume({each.id: "yes" for each in handle.result(0)["__interrupt__"]})
        other = worker.client.enqueue("agent", None, thread_id="copy")
        worker.work()
        asked = other.result(0)["__interrupt__"]
        assert sorted(str(each.value) for each in asked) == ["left?", "{'side': 'right'}"]
        other.resume({each.id: "no" for each in asked})
        worker.work()
        assert "right no" in copy.state().values["log"]
        copy.delete()
        assert copy.state().values == {}
        assert thread.state().values["log"][0] == "begin"


def test_a_thread_is_not_copied_to_where_an_entrypoint_was(worker: InMemoryWorker) -> None:
    run(worker, graphs.agent(None), {"messages": ["hello"]})
    worker.client.thread("other").update({"an": "entrypoint"})

    with pytest.raises(ConfigurationError, match="'other' has a history of its own"):
        worker.client.thread("t").copy("other")

    assert worker.client.thread("other").state().values == {"an": "entrypoint"}


def test_a_thread_of_a_run_alone_is_copied(worker: InMemoryWorker) -> None:
    agent = host(graphs.agent(None), name="agent")
    handle = worker.client.enqueue(agent, {"messages": ["hello"]})
    worker.work()

    copy = worker.client.thread(handle.thread_id).copy("copy")

    assert copy.state().values == handle.result(0)


def test_nothing_is_left_of_a_run_that_is_rolled_back(worker: InMemoryWorker) -> None:
    graph = graphs.nested(None)
    first = run(worker, graph, {"log": ["in"]})
    for _ in range(2):
        first.resume("yes")
        worker.work()
    thread = worker.client.thread("t")
    before = thread.state(), list(thread.history())
    asking = run(worker, graph, {"log": ["more"]}, on_busy="rollback")
    assert asking.status() == "suspended"
    assert len(list(thread.history())) > len(before[1])

    last = worker.client.enqueue("agent", None, thread_id="t", on_busy="rollback")

    assert (asking.status(), asking.info().reason) == ("cancelled", "rollback")
    assert (thread.state(), list(thread.history())) == before
    worker.work()
    assert last.result(0) == first.result(0)


def test_an_update_that_a_run_was_given_is_rolled_back(worker: InMemoryWorker) -> None:
    def graph() -> Graph:
        builder: Graph = StateGraph(graphs.Log)
        builder.add_node("one", of(lambda state: {"log": [interrupt("one?")]}))
        builder.add_edge(START, "one")
        return builder.compile()

    first = run(worker, graph(), {"log": ["in"]})
    first.resume("yes")
    worker.work()
    before = worker.client.thread("t").state()
    asking = run(worker, graph(), Command(update={"log": ["more"]}, goto="one"))
    assert asking.status() == "suspended"

    worker.client.enqueue("agent", {"log": []}, thread_id="t", on_busy="rollback")

    assert worker.client.thread("t").state() == before
    worker.work()
    assert worker.client.thread("t").state().values == before.values


@pytest.mark.parametrize(("build", "most"), [(graphs.nested, 6), (graphs.deltas, 15)])
def test_the_oldest_points_go_when_there_are_too_many(build: Any, most: int) -> None:
    settings = dataclasses.replace(load_settings(), history=6)
    graph = build(None)
    with InMemoryWorker([host(graph, name="agent")], settings=settings) as worker:
        given = {"log": ["in"], "all": ["in"], "some": []}
        handle = run(worker, graph, given)
        for _ in range(7):
            handle = run(worker, graph, given)
            while handle.status() == "suspended":
                handle.resume("yes")
                worker.work()

        states = list(worker.client.thread("t").history())
        with PenstockSaver(worker.connection) as saver:
            bound = graph.copy({"checkpointer": saver})
            (newest, *older) = bound.get_state_history({"configurable": {"thread_id": "t"}})
        names: Any = worker.connection.hkeys(f"penstock:graph:{thread_key('t')}")
        assert 6 <= len(states) <= most
        assert len(states) == 1 + len(older)
        assert plain(newest.values) == states[0].values == handle.result(0)
        assert len(names) <= 6  # the spaces of subgraphs are gone, too


def test_a_run_is_not_forked_by_its_steps_but_a_thread_by_its_points(
    worker: InMemoryWorker,
) -> None:
    handle = run(worker, graphs.agent(None), {"messages": [HumanMessage("hello", id="h")]})
    thread = worker.client.thread("t")

    with pytest.raises(ConfigurationError, match="graph 'agent', whose points are forked"):
        thread.fork(handle)

    point = next(state for state in thread.history() if state.next == ("tools",))
    again = worker.client.enqueue("agent", None, thread_id="t", config=point.config)
    worker.work()
    assert again.result(0) == handle.result(0)
    assert len([state for state in thread.history() if state.parent_config == point.config]) == 2


def test_a_run_that_failed_goes_on_from_an_update(worker: InMemoryWorker) -> None:
    handle = run(worker, graphs.failing(None), {"log": ["begin"]})
    assert handle.status() == "failed"

    updated(worker, {"log": ["mended"]}, as_node="fragile")
    handle.resume()
    worker.work()

    assert handle.result(0) == {"log": ["begin", "solid", "mended"]}


def test_a_run_that_asks_before_it_has_a_point_is_answered(worker: InMemoryWorker) -> None:
    graph = graphs.asking(None)
    first = run(worker, graph, {"log": ["begin"]})
    assert first.status() == "suspended"

    again = run(worker, graph, None)
    while again.status() == "suspended":
        again.resume({each.id: "yes" for each in again.result(0)["__interrupt__"]})
        worker.work()

    assert sorted(again.result(0)["log"]) == ["begin", "end", "left yes yes", "quick", "right yes"]
    other = run(worker, graph, Command(update={"log": ["update"]}, goto="right"))
    other.resume("fine")
    worker.work()
    assert other.result(0)["log"][-3:] == ["update", "right fine", "end"]


def test_without_what_reads_it_a_state_says_what_to_install(
    worker: InMemoryWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(worker, graphs.agent(None), {"messages": ["hello"]})
    monkeypatch.setitem(sys.modules, "penstock.langgraph.redis.plans.states", None)

    with pytest.raises(
        ConfigurationError, match=r"ormsgpack: install it, or penstock\[langgraph\]"
    ):
        worker.client.thread("t").state()
    assert worker.client.thread("other").state().values == {}


def test_an_update_is_not_made_twice_by_workers_that_die(worker: InMemoryWorker) -> None:
    run(worker, storing("x"), {"log": ["a"]})
    thread = worker.client.thread("t")
    with ThreadPoolExecutor(1) as pool:
        update = pool.submit(thread.update, {"log": ["y"]}, as_node="only")
        mortals: list[Mortal] = []

        def make_sender(connection: Any) -> Mortal:
            mortals.append(Mortal(connection, 2, "before"))
            return mortals[-1]

        while not mortals:
            worker.work(make_sender)
            time.sleep(0.01)
        worker.advance(worker.settings.lease)

        with pytest.raises(InvalidUpdateError, match="died or was cut off: read the state"):
            update.result()

    assert thread.state().values == {"log": ["a", "x", "y"]}
