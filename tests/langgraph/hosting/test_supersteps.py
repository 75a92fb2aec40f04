"""The supersteps of a run: their numbers name tasks for good, and each part has its own budget."""

from __future__ import annotations

import operator
from collections import Counter
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import Send, interrupt

from penstock.langgraph import host, step_id
from penstock.runtime.client.run import RunHandle
from penstock.runtime.errors import OutsideRunError, RunFailedError
from penstock.runtime.testing import InMemoryWorker
from tests.langgraph.graphs import Graph, of
from tests.langgraph.hosting.mortal import Mortal

MORE = 7
"""Supersteps that LangGraph makes with a limit of 5 where a call goes on, in the place of 5."""


class State(TypedDict):
    log: Annotated[list[Any], operator.add]


def work(worker: InMemoryWorker, death: int) -> bool:
    """Work; the process dies at one of its writes, and another one goes on. Tell whether it did."""
    mortals: list[Mortal] = []

    def make_sender(connection: Any) -> Mortal:
        mortals.append(Mortal(connection, death if not mortals else 0, "before"))
        return mortals[-1]

    worker.work(make_sender)
    if not mortals[0].is_dead:
        return False
    worker.advance(worker.settings.lease)
    return True


def mapped(ids: set[str]) -> Graph:
    """Tasks of one node in a subgraph, which ask before they end."""

    def note(word: str) -> str:
        ids.add(f"{word} {step_id()}")
        return word

    def ask(sent: Any) -> Any:
        return {"log": [f"{note(sent['word'])} {interrupt(sent['word'])}"]}

    inner: Graph = StateGraph(State)
    inner.add_node("think", of(lambda state: {"log": [note("think")]}))
    inner.add_node("ask", ask)
    inner.add_edge(START, "think")
    inner.add_conditional_edges(
        "think", of(lambda state: [Send("ask", {"word": word}) for word in ("a", "b")])
    )
    builder: Graph = StateGraph(State)
    builder.add_node("begin", of(lambda state: {"log": [note("begin")]}))
    builder.add_node("sub", inner.compile())
    builder.add_edge(START, "begin")
    builder.add_edge("begin", "sub")
    return builder.compile()


def test_ids_of_steps_are_the_same_whoever_executes_them() -> None:
    expected = {"begin begin:1.0", "think sub:2.0/think:1.0"}
    expected |= {f"{word} sub:2.0/ask:2.{number}" for number, word in enumerate("ab")}
    has_died, death = True, 0
    while has_died:
        death, ids = death + 1, set[str]()
        with InMemoryWorker([host(mapped(ids), name="agent")]) as worker:
            handle = worker.client.enqueue("agent", {"log": []})
            has_died = work(worker, death)
            handle.resume({each.id: "yes" for each in handle.result(0)["__interrupt__"]})
            worker.work()
            assert handle.status() == "completed"
        assert ids == expected, death
    assert death > 4


def test_there_are_no_ids_of_steps_elsewhere() -> None:
    with pytest.raises(OutsideRunError, match=r"step_id\(\)"):
        step_id()

    builder: Graph = StateGraph(State)
    builder.add_node("only", of(lambda state: {"log": [step_id()]}))
    builder.add_edge(START, "only")
    with pytest.raises(OutsideRunError, match=r"step_id\(\)"):
        builder.compile().invoke({"log": []})


def test_a_task_that_streams_do_not_show_has_no_id() -> None:
    builder: Graph = StateGraph(State)
    builder.add_node("only", of(lambda state: {"log": []}))
    builder.add_conditional_edges(START, of(lambda state: step_id()), ["only"])
    with InMemoryWorker([host(builder.compile(), name="agent")]) as worker:
        handle = worker.client.enqueue("agent", {"log": []})
        worker.work()

        with pytest.raises(RunFailedError, match="an edge from START: call it from a node"):
            handle.result(0)


def looping(executed: Counter[str], *, asks: bool = False) -> Graph:
    """A node that is executed over and over."""

    def again(state: State) -> Any:
        executed["again"] += 1
        return {"log": [interrupt("more?") if asks and len(state["log"]) == 2 else "again"]}

    builder: Graph = StateGraph(State)
    builder.add_node("again", again)
    builder.add_edge(START, "again")
    builder.add_edge("again", "again")
    return builder.compile()


def refused(handle: RunHandle) -> None:
    with pytest.raises(RunFailedError, match="GraphRecursionError"):
        handle.result(0)


def logged(worker: InMemoryWorker, handle: RunHandle) -> int:
    return len(worker.client.thread(handle.thread_id).state().values["log"])


@pytest.mark.parametrize("death", [0, 1, 2, 4, 7])
def test_a_death_gives_no_new_budget_of_supersteps(death: int) -> None:
    executed: Counter[str] = Counter()
    with InMemoryWorker([host(looping(executed), name="agent")]) as worker:
        handle = worker.client.enqueue("agent", {"log": []}, config={"recursion_limit": 5})
        has_died = work(worker, death)

        refused(handle)
        assert has_died == (death > 0)
        assert logged(worker, handle) == 5
        assert executed["again"] <= 5 + 2 * has_died

        handle.resume()
        worker.work()
        refused(handle)
        assert logged(worker, handle) == 5 + MORE


def test_an_answer_gives_a_new_budget_of_supersteps() -> None:
    executed: Counter[str] = Counter()
    with InMemoryWorker([host(looping(executed, asks=True), name="agent")]) as worker:
        handle = worker.client.enqueue("agent", {"log": []}, config={"recursion_limit": 5})
        worker.work()
        handle.resume("yes")
        worker.work()

        refused(handle)
        assert logged(worker, handle) == 2 + MORE
