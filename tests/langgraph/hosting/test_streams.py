"""What a hosted graph streams is what LangGraph streams, for readers live, late and encrypted."""

from __future__ import annotations

import asyncio
import base64
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import pytest
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.cache.memory import InMemoryCache
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_stream_writer
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import CachePolicy, Command

from penstock.langgraph import host
from penstock.langgraph.plain import plain
from penstock.publisher.event import Event
from penstock.runtime.settings import load_settings
from penstock.runtime.testing import InMemoryWorker
from tests.langgraph import graphs
from tests.langgraph.graphs import Graph, of
from tests.langgraph.hosting import kinds

MODES = ["values", "updates", "custom", "messages", "tasks", "checkpoints", "debug"]
STORED = ["values", "custom", "messages", "checkpoints"]

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}")
_OWN = {"run_id", "graph_id", "thread_id", "timestamp", "ls_integration", "configurable"}


def speaking(_: Any) -> Graph:
    """A model speaks in a subgraph, sync and async, and both write something of their own."""

    def model() -> GenericFakeChatModel:
        return GenericFakeChatModel(messages=iter([AIMessage("one two three", id="m")]))

    def sync(state: MessagesState) -> Any:
        get_stream_writer()({"sync": "begins"})
        return {"messages": [model().invoke(state["messages"])]}

    async def on_loop(state: MessagesState) -> Any:
        write = get_stream_writer()
        write("before")
        said = await model().ainvoke(state["messages"])
        write("after")
        return {"messages": [said.model_copy(update={"id": "other"})]}

    inner: Graph = StateGraph(MessagesState)
    inner.add_node("sync", sync)
    inner.add_edge(START, "sync")
    builder: Graph = StateGraph(MessagesState)
    builder.add_node("sub", inner.compile())
    builder.add_node("on_loop", on_loop)
    builder.add_edge(START, "sub")
    builder.add_edge("sub", "on_loop")
    return builder.compile()


def cached(_: Any) -> Graph:
    """A node of a loop comes out of the cache the second time."""
    builder: Graph = StateGraph(graphs.Log)
    builder.add_node(
        "same", of(lambda given: {"log": ["same"]}), cache_policy=CachePolicy(key_func=_one)
    )
    builder.add_node("again", of(lambda state: {"log": ["again"]}))
    builder.add_edge(START, "same")
    builder.add_edge("same", "again")
    builder.add_conditional_edges(
        "again",
        of(lambda state: "same" if len(state["log"]) < 5 else "__end__"),
        ["same", "__end__"],
    )
    return builder.compile(cache=InMemoryCache())


def _one(*_: Any) -> str:
    return "one"


def made(_: Any) -> Graph:
    """What a function makes, which is called for each attempt."""
    return kinds.made({}).compile()


CASES: list[tuple[Callable[[Any], Graph], Any, list[Any]]] = [
    (speaking, {"messages": [HumanMessage("hi", id="h")]}, []),
    (graphs.agent, {"messages": [HumanMessage("hi", id="h")]}, []),
    (graphs.map_reduce, {"words": ["three", "one"]}, []),
    (graphs.nested, {"log": ["in"]}, ["a", "b"]),
    (graphs.functional, [1, 2], ["fine"]),
    (graphs.deltas, {"all": ["in"], "some": []}, []),
    (cached, {"log": ["in"]}, []),
    (graphs.asking, {"log": ["in"]}, [{"left?": "a", "{'side': 'right'}": "b"}, {"sure?": "c"}]),
    (kinds.supervised, {"log": ["in"]}, []),
    (
        kinds.parallel_tools,
        {"messages": [HumanMessage("a table!", id="h")]},
        [{"table 1?": "yes", "table 2?": "no"}],
    ),
    (kinds.looped, {"log": ["in"]}, []),
    (kinds.stopping, {"log": ["in"]}, [None, None]),
    (kinds.keeping, {"log": ["soup"]}, []),
    (made, {"log": ["in"]}, []),
]


@pytest.mark.parametrize(("build", "given", "answers"), CASES, ids=[c[0].__name__ for c in CASES])
@pytest.mark.parametrize("durability", ["async", "sync"])
def test_chunks_are_those_of_langgraph(
    build: Callable[[Any], Graph], given: Any, answers: list[Any], durability: Any
) -> None:
    expected = asyncio.run(streamed(build(None), given, answers, durability))

    agent = host(kinds.made if build is made else build(None), name="agent", modes=STORED)
    with InMemoryWorker([agent]) as worker:
        run = worker.client.enqueue(agent, given, durability=durability)
        worker.work()
        for answer in answers:
            asked = run.result(0)["__interrupt__"]
            run.resume(answered(answer, asked))
            worker.work()
        found = list(run.stream(MODES, subgraphs=True))

    assert by_place(where(event) for event in found) == by_place(expected)


def answered(answers: Any, asked: Iterable[Any]) -> Any:
    """Return answers by the ids of their questions, if they are given by what is asked."""
    if not isinstance(answers, dict):
        return answers
    given = cast("dict[str, str]", answers)
    return {each.id: given[str(each.value)] for each in asked if str(each.value) in given}


async def streamed(graph: Graph, given: Any, answers: list[Any], durability: str) -> list[Any]:
    """Stream a graph with LangGraph alone; of what goes on, only what comes anew."""
    graph = graph.copy({"checkpointer": InMemorySaver(), "name": "agent"})
    config: Any = {"configurable": {"thread_id": "t"}, "metadata": {"run_id": "r"}}
    found: list[Any] = []
    ended = set[str]()
    for number, answer in enumerate([given, *answers]):
        each = answer
        if number and answer is not None:
            asked = [
                one for task in (await graph.aget_state(config)).tasks for one in task.interrupts
            ]
            each = Command(resume=answered(answer, asked))
        known, begun = {place for place, _, _ in found} if number else set[Any](), set[Any]()
        async for namespace, mode, chunk in graph.astream(
            each, config, stream_mode=MODES, subgraphs=True, durability=durability
        ):
            is_begin = mode == "tasks" or (mode == "debug" and chunk["type"] == "task")
            begun |= {namespace} if is_begin else set()
            if namespace in known and namespace not in begun:
                continue  # LangGraph shows the point that it goes on from once more
            task_id = (chunk.get("payload") or chunk)["id"] if is_begin else ""
            if task_id in ended or (number and chunk.get("__metadata__")):
                continue  # and the tasks that have finished since that point
            if mode == "tasks" and "result" in chunk and not chunk["interrupts"]:
                ended.add(task_id)
            found.append((namespace, mode, chunk))
    return found


def where(event: Event) -> tuple[Any, str, Any]:
    """Return an event as LangGraph gives its chunk: it does not say which task speaks."""
    is_word = event.mode in ("custom", "messages")
    return event.namespace[:-1] if is_word else event.namespace, event.mode, event.data


def by_place(chunks: Iterable[tuple[Any, str, Any]]) -> Mapping[Any, list[Any]]:
    """Return the chunks of each mode and namespace in their order, without what is of one run."""
    found: defaultdict[Any, list[Any]] = defaultdict(list)
    for namespace, mode, chunk in chunks:
        place = (re.sub(r":[^/]*", "", "/".join(namespace)), mode)
        found[place].append(_common(plain(chunk)))
    for place, each in found.items():
        if place[1] in ("tasks", "debug", "updates"):  # of tasks side by side any may be first
            each.sort(key=repr)
    return found


def _common(value: Any) -> Any:
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {name: _common(each) for name, each in fields.items() if name not in _OWN}
    given: Any = value
    if isinstance(value, list):
        return list(map(_common, given))
    return _ID.sub("id", value) if isinstance(value, str) else value


def test_a_reader_without_subgraphs_gets_what_the_graph_itself_says() -> None:
    agent = host(speaking(None), name="agent")
    with InMemoryWorker([agent]) as worker:
        run = worker.client.enqueue(agent, {"messages": [HumanMessage("hi", id="h")]})
        worker.work()
        found = list(run.stream(["messages", "custom", "updates"]))

    words = [event.data for event in found if event.mode == "custom"]
    tokens = [event.data[0]["content"] for event in found if event.mode == "messages"]
    assert words == ["before", "after"]
    assert "".join(tokens).startswith("one two three")
    assert [list(event.data) for event in found if event.mode == "updates"] == [
        ["sub"],
        ["on_loop"],
    ]


def test_a_late_reader_goes_on_from_its_cursor() -> None:
    agent = host(speaking(None), name="agent")
    with InMemoryWorker([agent]) as worker:
        run = worker.client.enqueue(agent, {"messages": [HumanMessage("hi", id="h")]})
        worker.work()
        found = list(run.stream(MODES, subgraphs=True))

        for event in found[:: len(found) // 5]:
            rest = list(run.stream(MODES, subgraphs=True, after=event.seq))
            assert rest == [each for each in found if each.seq > event.seq]


def test_chunks_are_encrypted_where_there_are_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_ENCRYPTION_KEYS", f"k1:{base64.b64encode(b'k' * 32).decode()}")
    settings = load_settings()
    agent = host(speaking(None), name="agent")
    with InMemoryWorker([agent], settings=settings) as worker:
        run = worker.client.enqueue(agent, {"messages": [HumanMessage("geheim", id="h")]})
        worker.work()
        kept: Any = [worker.connection.dump(key) for key in worker.connection.keys("penstock:*")]
        shown = [event.data for event in run.stream("updates")]

    assert len(shown) == 2
    assert b"geheim" not in b"".join(kept)


def test_a_task_with_a_large_input_begins_without_it() -> None:
    builder: Graph = StateGraph(graphs.Log)
    builder.add_node("only", of(lambda state: {"log": ["x"]}))
    builder.add_edge(START, "only")
    agent = host(builder.compile(), name="agent")
    with InMemoryWorker([agent]) as worker:
        run = worker.client.enqueue(agent, {"log": ["x" * 20_000]})
        worker.work()
        begin, end = [event.data for event in run.stream("tasks")]

    assert begin["input"] is None
    assert end["result"] == {"log": ["x"]}


def test_only_the_modes_that_are_asked_for_are_stored() -> None:
    agent = host(speaking(None), name="agent", modes=["custom"])
    with InMemoryWorker([agent]) as worker:
        run = worker.client.enqueue(agent, {"messages": [HumanMessage("hi", id="h")]})
        worker.work()
        modes = {event.mode for event in run.stream(MODES, subgraphs=True)}

    assert modes == {"custom", "updates", "tasks", "debug"}
