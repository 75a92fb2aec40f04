"""Runs of graphs on a worker in memory: what they are given, ask, return, and fail with."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Iterator
from typing import Annotated, Any, TypedDict, cast

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt
from pydantic import BaseModel, Field

from penstock.langgraph import PenstockSaver, host, revive
from penstock.runtime import entrypoint
from penstock.runtime.client.run import RunHandle
from penstock.runtime.diagnostics.steps import read_steps
from penstock.runtime.errors import AnswerError, ConfigurationError, InputError, RunFailedError
from penstock.runtime.redis.keys import thread_key
from penstock.runtime.settings import load_settings
from penstock.runtime.testing import InMemoryWorker
from tests.langgraph import graphs
from tests.langgraph.graphs import Graph, of

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")


class State(TypedDict):
    log: Annotated[list[Any], operator.add]


def one(function: Callable[[Any], Any], **options: Any) -> Graph:
    """A graph of one node."""
    builder: Graph = StateGraph(State)
    builder.add_node("only", of(function))
    builder.add_edge(START, "only")
    return builder.compile(**options)


@pytest.fixture
def worker() -> Iterator[InMemoryWorker]:
    with InMemoryWorker([host(one(print), name="agent")]) as worker:
        yield worker


def run(worker: InMemoryWorker, graph: Any, given: Any, **options: Any) -> RunHandle:
    """Execute a run of a graph as far as it goes."""
    agent = host(graph, name="agent", **options.pop("hosted", {}))
    cast(Any, worker.app.entrypoints)["agent"] = agent
    handle = worker.client.enqueue(agent, given, **options)
    worker.work()
    return handle


def test_an_agent_returns_what_it_returns_in_process(worker: InMemoryWorker) -> None:
    given = {"messages": [HumanMessage("hello", id="h")]}
    expected = graphs.agent(None).invoke(given)

    result = run(worker, graphs.agent(None), given).result(0)

    assert revive(result) == expected
    assert [each["type"] for each in result["messages"]] == ["human", "ai", "tool", "tool", "ai"]


def test_an_entrypoint_of_langgraph_keeps_what_it_saves(worker: InMemoryWorker) -> None:
    for numbers, before in (([1, 2], None), ([4], 6)):
        handle = run(worker, graphs.functional(None), numbers, thread_id="t")
        (asked,) = handle.result(0)["__interrupt__"]
        assert asked.value == f"sum is {2 * sum(numbers)}, before {before}"
        handle.resume("fine")
        worker.work()
        doubled = [2 * number for number in numbers]
        assert handle.result(0) == {"doubled": doubled, "asked": "fine"}


def test_a_thread_goes_on_with_its_state(worker: InMemoryWorker) -> None:
    graph = one(lambda state: {"log": [len(state["log"])]})

    results = [run(worker, graph, {"log": ["x"]}, thread_id="t").result(0) for _ in range(3)]

    assert results[-1] == {"log": ["x", 1, "x", 3, "x", 5]}
    with PenstockSaver(worker.connection) as saver:
        state = graph.copy({"checkpointer": saver}).get_state({"configurable": {"thread_id": "t"}})
    assert state.values == results[-1]
    assert state.next == ()


def test_questions_are_answered_one_by_one_or_together(worker: InMemoryWorker) -> None:
    handle = run(worker, graphs.asking(None), {"log": ["begin"]})
    asked = {str(each.value): each.id for each in handle.result(0)["__interrupt__"]}
    assert sorted(asked) == ["left?", "{'side': 'right'}"]

    handle.resume({asked["left?"]: "maybe"})
    worker.work()
    asked = {str(each.value): each.id for each in handle.result(0)["__interrupt__"]}
    assert sorted(asked) == ["sure?", "{'side': 'right'}"]
    handle.resume({asked["sure?"]: "of course", asked["{'side': 'right'}"]: "yes"})
    worker.work()

    log = handle.result(0)["log"]
    assert sorted(log) == ["begin", "end", "left maybe of course", "quick", "right yes"]


def test_an_answer_that_does_not_fit_its_schema_is_refused(worker: InMemoryWorker) -> None:
    schema = {"type": "integer"}
    graph = one(lambda state: {"log": [interrupt("how many?", response_schema=schema)]})
    handle = run(worker, graph, {"log": []})
    (asked,) = handle.result(0)["__interrupt__"]
    assert asked.response_schema == schema

    with pytest.raises(AnswerError):
        handle.resume("many")
    handle.resume(3)
    worker.work()

    assert handle.result(0) == {"log": [3]}


def test_a_run_that_failed_goes_on_with_what_has_not_finished(worker: InMemoryWorker) -> None:
    handle = run(worker, graphs.failing(None), {"log": ["begin"]})
    with pytest.raises(RunFailedError, match="ValueError: not yet"):
        handle.result(0)

    for _ in range(2):
        handle.resume()
        worker.work()

    assert handle.result(0) == {"log": ["begin", "solid", "fragile"]}


def test_an_error_names_the_node_and_the_type_that_may_not_be_stored(
    worker: InMemoryWorker,
) -> None:
    graph = one(lambda state: {"log": [Dish("soup")]})

    with pytest.raises(RunFailedError, match=r"node 'only' wrote 'log'.*Dish.*types="):
        run(worker, graph, {"log": []}).result(0)

    result = run(worker, graph, {"log": []}, hosted={"types": [Dish]}).result(0)
    assert result == {"log": [{"name": "soup"}]}


def test_a_value_that_was_refused_is_written_once_it_may_be(worker: InMemoryWorker) -> None:
    executed: list[str] = []

    def first(_: State) -> dict[str, Any]:
        executed.append("first")
        return {"log": ["first"]}

    def build() -> Graph:
        builder: Graph = StateGraph(State)
        builder.add_node("first", first)
        builder.add_node("second", of(lambda state: {"log": [Dish("soup")]}))
        builder.add_edge(START, "first")
        builder.add_edge("first", "second")
        return builder.compile()

    handle = run(worker, build(), {"log": []})
    with pytest.raises(RunFailedError, match="name it in types="):
        handle.result(0)
    cast(Any, worker.app.entrypoints)["agent"] = host(build(), name="agent", types=[Dish])
    handle.resume()
    worker.work()

    assert handle.result(0) == {"log": ["first", {"name": "soup"}]}
    assert executed == ["first"]


def test_a_graph_may_be_given_more_types_by_class_or_name(worker: InMemoryWorker) -> None:
    builder: Graph = StateGraph(State)
    builder.add_node("only", of(lambda state: {"log": [Place(street="Lane", town="Bath")]}))
    builder.add_edge(START, "only")
    for types in ([Place], [(__name__, "Place")], "any"):
        agent = host(builder.compile(), name="agent").configured(cast(Any, types))
        cast(Any, worker.app.entrypoints)["agent"] = agent
        handle = worker.client.enqueue(agent, {"log": []})
        worker.work()
        assert handle.result(0) == {"log": [{"street": "Lane", "town": "Bath"}]}


def test_a_value_that_is_too_large_names_its_node() -> None:
    settings = dataclasses.replace(load_settings(), value_limit=2000)
    agent = host(one(lambda state: {"log": ["x" * 3000]}), name="agent")
    with InMemoryWorker([agent], settings=settings) as worker:
        handle = worker.client.enqueue(agent, {"log": []}, thread_id="t")
        worker.work()

        with pytest.raises(RunFailedError, match=r"node 'only' wrote 'log'.*value_limit"):
            handle.result(0)
        assert worker.client.thread("t").state().next == ("only",)


@dataclasses.dataclass
class Dish:
    name: str


def test_an_update_may_be_what_a_run_is_given(worker: InMemoryWorker) -> None:
    builder: Graph = StateGraph(State)
    builder.add_node("first", of(lambda state: {"log": ["first"]}))
    builder.add_node("other", of(lambda state: {"log": ["other"]}))
    builder.add_edge(START, "first")
    graph = builder.compile()
    run(worker, graph, {"log": []}, thread_id="t")

    command = Command(update={"log": ["update"]}, goto="other")

    result = run(worker, graph, command, thread_id="t").result(0)
    assert result == {"log": ["first", "update", "other"]}


def test_an_answer_is_no_input(worker: InMemoryWorker) -> None:
    graph = one(lambda state: {"log": [interrupt("what?")]})
    run(worker, graph, {"log": []}, thread_id="t")

    with pytest.raises(RunFailedError, match=r"ResumeError.*run\.resume\(answer\)"):
        run(worker, graph, Command(resume="soup"), thread_id="t").result(0)


def test_a_context_and_a_config_get_to_the_nodes(worker: InMemoryWorker) -> None:
    @dataclasses.dataclass
    class Context:
        user: str

    def only(state: State, runtime: Any, config: Any) -> Any:
        configurable, metadata = config["configurable"], config["metadata"]
        told = [runtime.context.user, configurable["tone"], configurable["thread_id"]]
        return {"log": [*told, metadata["run_id"], metadata["graph_id"]]}

    from langchain_core.runnables import RunnableConfig
    from langgraph.runtime import Runtime

    only.__annotations__ |= {"runtime": Runtime[Context], "config": RunnableConfig}
    builder: Graph = StateGraph(State, context_schema=Context)
    builder.add_node("only", only)
    builder.add_edge(START, "only")
    handle = run(
        worker,
        builder.compile(),
        {"log": []},
        thread_id="t",
        context={"user": "Ada"},
        config={"configurable": {"tone": "kind", "__pregel_task_id": "forged"}},
    )

    assert handle.result(0) == {"log": ["Ada", "kind", "t", handle.run_id, "agent"]}


def test_an_api_key_in_the_config_is_not_stored_with_the_state(worker: InMemoryWorker) -> None:
    graph = one(lambda state: {"log": ["x"]})

    run(worker, graph, {"log": []}, thread_id="t", config={"configurable": {"key": "sk-secret"}})

    keys: Any = worker.connection.keys("penstock:graph:*")
    stored = [worker.connection.hgetall(key) for key in keys if not key.endswith(b":order")]
    assert len(stored) == 2
    assert b"sk-secret" not in repr(stored).encode()


def test_a_run_may_branch_off_an_older_point(worker: InMemoryWorker) -> None:
    graph = one(lambda state: {"log": [len(state["log"])]})
    for word in ("a", "b"):
        run(worker, graph, {"log": [word]}, thread_id="t")
    with PenstockSaver(worker.connection) as saver:
        bound = graph.copy({"checkpointer": saver})
        history = list(bound.get_state_history({"configurable": {"thread_id": "t"}}))
    after_first = next(each for each in history if each.values.get("log") == ["a", 1])
    point = after_first.config["configurable"]["checkpoint_id"]
    config = {"configurable": {"checkpoint_id": point}}

    result = run(worker, graph, {"log": ["c"]}, thread_id="t", config=config).result(0)

    assert result == {"log": ["a", 1, "c", 3]}
    later = run(worker, graph, {"log": ["d"]}, thread_id="t").result(0)
    assert later == {"log": ["a", 1, "c", 3, "d", 5]}


def test_a_graph_stops_at_a_breakpoint_until_it_is_let_go_on(worker: InMemoryWorker) -> None:
    graph = one(lambda state: {"log": ["done"]}, interrupt_before=["only"])
    handle = run(worker, graph, {"log": []})
    (stop,) = handle.result(0)["__interrupt__"]
    assert stop.value == {"before": ["only"]}

    handle.resume(None)
    worker.work()

    assert handle.result(0) == {"log": ["done"]}


def test_a_run_that_waits_for_a_node_that_is_gone_says_which(worker: InMemoryWorker) -> None:
    def build(name: str) -> Graph:
        builder: Graph = StateGraph(State)
        builder.add_node("first", of(lambda state: {"log": ["first"]}))
        builder.add_node(name, of(lambda state: {"log": [interrupt("what?")]}))
        builder.add_edge(START, "first")
        builder.add_edge("first", name)
        return builder.compile()

    handle = run(worker, build("old"), {"log": []})
    cast(Any, worker.app.entrypoints)["agent"] = host(build("new"), name="agent")
    handle.resume("soup")
    worker.work()

    with pytest.raises(RunFailedError, match=r"waits for node 'old', which 'agent' no longer has"):
        handle.result(0)
    cast(Any, worker.app.entrypoints)["agent"] = host(build("old"), name="agent")
    handle.resume()
    worker.work()
    assert handle.result(0) == {"log": ["first", "soup"]}


def test_a_run_may_have_breakpoints_of_its_own(worker: InMemoryWorker) -> None:
    def build() -> Graph:
        builder: Graph = StateGraph(State)
        for name, before in (("one", START), ("two", "one"), ("three", "two")):
            builder.add_node(name, of(lambda state: {"log": [len(state["log"])]}))
            builder.add_edge(before, name)
        return builder.compile(interrupt_before=["two"])

    own: dict[str, Any] = {"interrupt_before": ["three"], "interrupt_after": ["one"]}
    handle = run(worker, build(), {"log": []}, **own)
    stops: list[Any] = []
    while handle.status() == "suspended":
        stops += [stop.value for stop in handle.result(0)["__interrupt__"]]
        handle.resume(None)
        worker.work()

    assert stops == [{"after": ["one"]}, {"before": ["three"]}]
    assert handle.result(0) == {"log": [0, 1, 2]}
    everywhere = run(worker, build(), {"log": []}, interrupt_before="*")
    assert everywhere.result(0)["__interrupt__"][0].value == {"before": ["one"]}
    with pytest.raises(RunFailedError, match=r"'agent' has no node 'four'; it has one, two, three"):
        run(worker, build(), {"log": []}, interrupt_after=["four"]).result(0)


def test_an_entrypoint_has_no_nodes_to_stop_at(worker: InMemoryWorker) -> None:
    @entrypoint(name="agent")
    def flow(x: int) -> int:
        return x

    cast(Any, worker.app.entrypoints)["agent"] = flow
    with pytest.raises(ConfigurationError, match="has no nodes to stop at"):
        worker.client.enqueue(flow, 1, interrupt_before="*")
    with pytest.raises(ConfigurationError, match="is a list of names of nodes"):
        worker.client.enqueue("agent", 1, interrupt_before=cast(Any, "one"))
    handle = worker.client.enqueue("agent", 1, interrupt_before=["one"])
    worker.work()
    with pytest.raises(RunFailedError, match="has no nodes to stop at"):
        handle.result(0)


class Order(BaseModel):
    size: int
    log: Annotated[list[Any], operator.add] = []


@dataclasses.dataclass
class Wish:
    log: Annotated[list[Any], operator.add]


def taking(schema: Any) -> Graph:
    """A graph of one node, with a state of another class."""
    builder: Graph = StateGraph(schema)
    builder.add_node("only", of(lambda state: {"log": ["done"]}))
    builder.add_edge(START, "only")
    return builder.compile()


class Place(BaseModel):
    street: str
    town: str


def merged(old: Any, new: Any) -> Any:
    return {**dict(old), **dict(new)}


class Parcel(BaseModel):
    to: Place = Place(street="Lane", town="Bath")
    back: Annotated[Place, merged] = Place(street="Lane", town="Bath")
    log: Annotated[list[Any], operator.add] = []


@pytest.mark.parametrize(
    ("schema", "given", "said"),
    [
        (Parcel, {"to": {"street": "Lane"}}, "to.town: Field required"),
        (State, 3, "graph 'agent' takes a dict of the fields of its state, not 3"),
        (State, [1], r"not \[1\]"),
        (Order, {"size": "many"}, "size: Input should be a valid integer"),
        (Order, "x", "takes a dict"),
    ],
)
def test_an_input_that_a_graph_cannot_take_is_refused_before_anything_is_stored(
    worker: InMemoryWorker, schema: Any, given: Any, said: str
) -> None:
    graph = taking(schema)
    fine = run(worker, graph, {"log": ["fine"], "size": 1}, thread_id="t")
    before = list(worker.client.thread("t").history())

    with pytest.raises(InputError, match=said):
        run(worker, graph, given, thread_id="t")
    handle = worker.client.enqueue("agent", given, thread_id="t")
    worker.work()
    with pytest.raises(RunFailedError, match=said) as failure:
        handle.result(0)

    assert isinstance(failure.value.__cause__, InputError)
    assert list(worker.client.thread("t").history()) == before
    assert fine.status() == "completed"


class Small(Order):
    size: int = Field(lt=5)


@pytest.mark.parametrize("by_name", [True, False])
def test_an_input_is_checked_once_however_its_schema_changes(
    worker: InMemoryWorker, by_name: bool
) -> None:
    def graph(schema: Any) -> Graph:
        builder: Graph = StateGraph(State, input_schema=schema)
        builder.add_node("only", of(lambda state: {"log": [interrupt("sure?")]}))
        builder.add_edge(START, "only")
        return builder.compile()

    first = host(graph(Order), name="agent")
    cast(Any, worker.app.entrypoints)["agent"] = first
    handle = worker.client.enqueue("agent" if by_name else first, {"size": 7}, thread_id="t")
    worker.work()
    cast(Any, worker.app.entrypoints)["agent"] = host(graph(Small), name="agent")

    handle.resume("yes")
    worker.work()

    assert handle.result(0) == {"log": ["yes"]}
    with pytest.raises(InputError, match="less than 5"):
        run(worker, graph(Small), {"size": 7}, thread_id="t")


def test_an_input_may_leave_out_what_the_thread_has_and_be_an_object(
    worker: InMemoryWorker,
) -> None:
    graph = taking(Order)
    run(worker, graph, Order(size=3, log=["a"]), thread_id="t").result(0)

    result = run(worker, graph, {"log": ["b"]}, thread_id="t").result(0)
    assert result == {"size": 3, "log": ["a", "done", "b", "done"]}
    assert run(worker, taking(Wish), Wish(["w"])).result(0) == {"log": ["w", "done"]}


def test_an_input_may_leave_out_what_a_reducer_puts_in(worker: InMemoryWorker) -> None:
    graph = taking(Parcel)
    run(worker, graph, {"back": {"street": "Road", "town": "Rome"}}, thread_id="t").result(0)

    result = run(worker, graph, {"back": {"town": "Paris"}}, thread_id="t").result(0)

    assert result["back"] == {"street": "Road", "town": "Paris"}


def test_streaming_models_are_fine(worker: InMemoryWorker) -> None:
    async def speak(state: MessagesState) -> Any:
        from langchain_core.language_models import GenericFakeChatModel

        model = GenericFakeChatModel(messages=iter([AIMessage("one two", id="m")]))
        return {"messages": [await model.ainvoke(state["messages"])]}

    builder: Graph = StateGraph(MessagesState)
    builder.add_node("speak", speak)
    builder.add_edge(START, "speak")

    result = run(worker, builder.compile(), {"messages": ["hi"]}).result(0)

    assert [each["content"] for each in result["messages"]] == ["hi", "one two"]


def test_the_state_of_a_graph_lives_as_long_as_the_thread_of_its_runs(
    worker: InMemoryWorker,
) -> None:
    graph = one(lambda state: {"log": [interrupt("what?")]})

    def ttls(thread_id: str) -> set[bool]:
        prefix = f"penstock:graph:{thread_key(thread_id)}"
        keys: Any = worker.connection.keys(f"{prefix}*")
        assert len(keys) == 3
        return {worker.connection.ttl(key) > 0 for key in keys}

    alone = run(worker, graph, {"log": []})
    assert ttls(alone.thread_id) == {False}
    alone.resume("soup")
    worker.work()
    assert ttls(alone.thread_id) == {True}  # as the run itself

    shared = run(worker, graph, {"log": []}, thread_id="t")
    shared.resume("soup")
    worker.work()
    assert ttls("t") == {False}
    worker.client.thread("t").expire(60)
    assert ttls("t") == {True}
    run(worker, graph, {"log": []}, thread_id="t")
    assert ttls("t") == {False}

    worker.client.thread("t").delete()
    assert worker.connection.keys(f"penstock:graph:{thread_key('t')}*") == []


def test_a_graph_does_not_go_on_where_an_entrypoint_was(worker: InMemoryWorker) -> None:
    @entrypoint(name="agent")
    def flow(x: int) -> int:
        return x

    cast(Any, worker.app.entrypoints)["agent"] = flow
    worker.client.enqueue(flow, 1, thread_id="t")
    worker.work()

    with pytest.raises(RunFailedError, match="holds the state of an entrypoint"):
        run(worker, one(lambda state: {"log": []}), {"log": []}, thread_id="t").result(0)


def test_an_entrypoint_does_not_go_on_where_a_graph_was(worker: InMemoryWorker) -> None:
    @entrypoint(name="agent")
    def flow(x: int) -> int:
        return x

    run(worker, one(lambda state: {"log": []}), {"log": []}, thread_id="t").result(0)
    cast(Any, worker.app.entrypoints)["agent"] = flow
    handle = worker.client.enqueue(flow, 1, thread_id="t")
    worker.work()

    with pytest.raises(RunFailedError, match="holds the state of the graph 'agent'"):
        handle.result(0)


def test_a_run_that_failed_and_goes_on_keeps_its_state(worker: InMemoryWorker) -> None:
    handle = run(worker, graphs.failing(None), {"log": ["begin"]})
    keys: Any = worker.connection.keys("penstock:graph:*")
    assert all(worker.connection.ttl(key) > 0 for key in keys)

    handle.resume()

    assert all(worker.connection.ttl(key) == -1 for key in keys)
    worker.work()
    with pytest.raises(RunFailedError):
        handle.result(0)


def test_nodes_are_shown_as_steps(worker: InMemoryWorker) -> None:
    handle = run(worker, graphs.nested(None), {"log": ["in"]})
    assert steps_of(worker, handle) == [
        ("forgets", 0, "waiting", ""),
        ("think", 1, "completed", ""),
        ("ask", 1, "waiting", ""),
    ]

    failed = run(worker, graphs.failing(None), {"log": ["begin"]})
    assert steps_of(worker, failed) == [
        ("solid", 0, "completed", ""),
        ("fragile", 0, "failed", "ValueError: not yet"),
    ]


def steps_of(worker: InMemoryWorker, handle: RunHandle) -> list[tuple[str, int, str, str]]:
    steps = worker.client.do(read_steps(worker.client.plans, handle.info()))
    return [(step.name, step.depth, str(step.status), step.error) for step in steps]
