"""The threads of hosted graphs as clients see them: without LangGraph what LangGraph shows."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import decimal
import enum
import json
import pathlib
import subprocess
import sys
import uuid
from collections.abc import Iterator
from typing import Any, cast

import pytest
from langchain_core.messages import HumanMessage
from langgraph.graph import END, START, StateGraph
from langgraph.types import StateSnapshot as LangGraphState
from pydantic import BaseModel, SecretStr

from penstock.langgraph import PenstockSaver, host
from penstock.langgraph.plain import plain
from penstock.publisher.errors import CodecError
from penstock.runtime.client.run import RunHandle
from penstock.runtime.settings import load_settings
from penstock.runtime.testing import InMemoryWorker
from penstock.runtime.types.state import StateSnapshot
from tests.langgraph import graphs
from tests.langgraph.graphs import Graph, of

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


@pytest.mark.parametrize("keys", ["", "k1:" + base64.b64encode(bytes(32)).decode()])
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
