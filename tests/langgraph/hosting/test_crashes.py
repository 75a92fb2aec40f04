"""A run whose process dies at any of its writes goes on where its records say, and ends alike."""

from __future__ import annotations

import json
import operator
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypedDict, cast

import pytest
from langgraph.config import get_stream_writer
from langgraph.graph import START, StateGraph
from langgraph.types import Command as LangGraphCommand
from langgraph.types import Send, interrupt

from penstock.langgraph import PenstockSaver, host
from penstock.publisher import fold
from penstock.runtime.client.run import RunHandle
from penstock.runtime.testing import InMemoryWorker
from penstock.runtime.types.interrupt import Interrupt
from tests.langgraph.graphs import Graph, of
from tests.langgraph.hosting.mortal import Mortal

THREAD = "thread 1"


class State(TypedDict):
    log: Annotated[list[str], operator.add]


@dataclass
class Notes:
    """What the nodes of a graph have done, whoever executed them."""

    executed: Counter[str] = field(default_factory=Counter[str])
    is_dead: Callable[[], bool] = bool
    """Whether the process counts as dead that executes them."""

    def note(self, name: str) -> None:
        get_stream_writer()(f"{name} begins")
        if not self.is_dead():
            self.executed[name] += 1

    def node(self, name: str) -> Any:
        def node(_: State) -> dict[str, Any]:
            self.note(name)
            return {"log": [name]}

        return of(node)

    def asking(self, name: str, *questions: str) -> Any:
        def node(_: State) -> dict[str, Any]:
            self.note(name)
            answers = [f"{question} {interrupt(question)}" for question in questions]
            return {"log": answers}

        return of(node)


def chain(notes: Notes) -> Graph:
    """Three supersteps, the second one of two nodes."""
    builder: Graph = StateGraph(State)
    for name in ("begin", "left", "right", "end"):
        builder.add_node(name, notes.node(name))
    builder.add_edge(START, "begin")
    for side in ("left", "right"):
        builder.add_edge("begin", side)
    builder.add_edge(["left", "right"], "end")
    return builder.compile()


def questions(notes: Notes) -> Graph:
    """One node asks twice, another one once beside it."""
    builder: Graph = StateGraph(State)
    builder.add_node("two", notes.asking("two", "first?", "second?"))
    builder.add_node("one", notes.asking("one", "other?"))
    builder.add_node("quick", notes.node("quick"))
    builder.add_node("end", notes.node("end"))
    for name in ("two", "one", "quick"):
        builder.add_edge(START, name)
    builder.add_edge(["two", "one", "quick"], "end")
    return builder.compile()


def nested(notes: Notes) -> Graph:
    """A subgraph thinks, asks twice and ends; its parent goes on."""
    inner: Graph = StateGraph(State)
    inner.add_node("think", notes.node("think"))
    inner.add_node("ask", notes.asking("ask", "inner?", "sure?"))
    inner.add_edge(START, "think")
    inner.add_edge("think", "ask")
    builder: Graph = StateGraph(State)
    builder.add_node("before", notes.node("before"))
    builder.add_node("sub", inner.compile())
    builder.add_node("end", notes.node("end"))
    builder.add_edge(START, "before")
    builder.add_edge("before", "sub")
    builder.add_edge("sub", "end")
    return builder.compile()


def called(notes: Notes) -> Graph:
    """A node calls a graph itself, in its thread."""
    inner: Graph = StateGraph(State)
    inner.add_node("think", notes.node("think"))
    inner.add_node("ask", notes.asking("ask", "inner?"))
    inner.add_edge(START, "think")
    inner.add_edge("think", "ask")
    graph = inner.compile()
    builder: Graph = StateGraph(State)
    builder.add_node("call", of(lambda state: {"log": graph.invoke({"log": []})["log"]}))
    builder.add_edge(START, "call")
    return builder.compile()


def mapped(notes: Notes) -> Graph:
    """Each word is worked on by a task of its own, then all are gathered."""
    builder: Graph = StateGraph(State)

    def work(sent: Any) -> dict[str, Any]:
        notes.note(f"did {sent['word']}")
        return {"log": [f"did {sent['word']}"]}

    builder.add_node("work", of(work))
    builder.add_node("end", notes.node("end"))
    builder.add_conditional_edges(
        START, of(lambda state: [Send("work", {"word": word}) for word in state["log"]]), ["work"]
    )
    builder.add_edge("work", "end")
    return builder.compile()


def stopping(notes: Notes) -> Graph:
    """It stops before one node and after another."""
    builder: Graph = StateGraph(State)
    for name in ("first", "second", "third"):
        builder.add_node(name, notes.node(name))
    builder.add_edge(START, "first")
    builder.add_edge("first", "second")
    builder.add_edge("second", "third")
    return builder.compile(interrupt_before=["second"], interrupt_after=["second"])


def stopping_inside(notes: Notes) -> Graph:
    """Its subgraph stops before a node."""
    inner: Graph = StateGraph(State)
    inner.add_node("think", notes.node("think"))
    inner.add_node("act", notes.node("act"))
    inner.add_edge(START, "think")
    inner.add_edge("think", "act")
    builder: Graph = StateGraph(State)
    builder.add_node("sub", inner.compile(interrupt_before=["act"]))
    builder.add_node("end", notes.node("end"))
    builder.add_edge(START, "sub")
    builder.add_edge("sub", "end")
    return builder.compile()


def updated(notes: Notes) -> Graph:
    """Its first run executes one node; the second one is an update, which goes to two others."""
    builder: Graph = StateGraph(State)
    for name in ("first", "second", "third"):
        builder.add_node(name, notes.node(name))
    builder.add_edge(START, "first")
    builder.add_edge("second", "third")
    return builder.compile()


def updated_asking(notes: Notes) -> Graph:
    """As `updated`, and the update goes to a node that asks twice, before there is a point."""
    builder: Graph = StateGraph(State)
    builder.add_node("first", notes.node("first"))
    builder.add_node("second", notes.asking("second", "really?", "sure?"))
    builder.add_node("third", notes.node("third"))
    builder.add_edge(START, "first")
    builder.add_edge("second", "third")
    return builder.compile()


_UPDATE = [{"log": ["in"]}, LangGraphCommand(update={"log": ["update"]}, goto="second")]

INPUTS: dict[str, list[Any]] = {"updated": _UPDATE, "updated_asking": _UPDATE}
"""What the runs of a graph are given, one after another on their thread."""

GRAPHS: list[Callable[[Notes], Graph]] = [
    *(chain, questions, nested, called, mapped, stopping, stopping_inside, updated, updated_asking)
]


@dataclass
class Trial:
    """One run, which dies at one of its writes and is gone on with."""

    build: Callable[[Notes], Graph]
    durability: Any = "async"
    when: Literal["before", "after"] = "before"
    death: int = 0
    notes: Notes = field(default_factory=Notes)
    asked: list[str] = field(default_factory=list[str])
    told: Counter[str] = field(default_factory=Counter[str])
    """What readers are told once: updates, values, ends of tasks, and words that are not void."""
    writes: int = 0
    has_died: bool = False

    def play(self) -> Any:
        """Run to the end, each question answered as it is asked; returns the last result."""
        agent = host(self.build(self.notes), name="agent")
        with InMemoryWorker([agent]) as worker:
            result: Any = None
            for given in INPUTS.get(self.build.__name__, [{"log": ["in", "out"]}]):
                handle = worker.client.enqueue(
                    agent, given, thread_id=THREAD, durability=self.durability
                )
                result = self._end(worker, handle)
            return result

    def _end(self, worker: InMemoryWorker, handle: RunHandle) -> Any:
        while True:
            self._work(worker)
            answers = self._answers(handle)
            if not answers:
                self._read(handle)
                return handle.result(0)
            handle.resume(answers)

    def _work(self, worker: InMemoryWorker) -> None:
        mortals: list[Mortal] = []

        def make_sender(connection: Any) -> Mortal:
            left = 0 if self.has_died else self.death - self.writes
            mortals.append(Mortal(connection, left, self.when))
            self.notes.is_dead = lambda: mortals[-1].is_dead
            return mortals[-1]

        worker.work(make_sender)
        self.writes += sum(mortal.calls for mortal in mortals)
        if any(mortal.is_dead for mortal in mortals):
            self.has_died = True
            self.notes.is_dead = bool
            stored, before = self._stored(worker), self.notes.executed.copy()
            worker.advance(worker.settings.lease)
            again = {name for name in stored if self.notes.executed[name] > before[name]}
            assert not again, f"{self.death}: recorded, and executed once more: {again}"

    def _read(self, handle: RunHandle) -> None:
        modes = ["updates", "values", "tasks", "custom", "retry"]
        for event in fold(list(handle.stream(modes, subgraphs=True))):
            names = [part.partition(":")[0] for part in event.namespace]
            data: Any = event.data
            is_begin = event.mode == "tasks" and "input" in data
            is_end = event.mode == "tasks" and not is_begin
            is_asked = "__interrupt__" in data or (is_end and bool(data["interrupts"]))
            if event.mode == "tasks":
                data = [data["name"], data.get("error"), data.get("result")]
            if is_begin or is_asked:
                continue
            told = json.dumps([names, event.mode, data])
            self.told[told] += 1
            if event.mode == "values" and self.asked:  # they are shown each time that it asks
                self.told[told] = 1

    def _stored(self, worker: InMemoryWorker) -> set[str]:
        """Return what has finished, as is recorded."""
        with PenstockSaver(worker.connection) as saver:
            points = list(saver.list({"configurable": {"thread_id": THREAD}}))
        values = [point.checkpoint["channel_values"].get("log", ()) for point in points]
        writes = [
            value
            for point in points
            for _, channel, value in point.pending_writes or ()
            if channel == "log"
        ]
        return {name for log in (*values, *writes) for name in log} - {"in", "out", "update"}

    def _answers(self, handle: RunHandle) -> dict[str, Any]:
        result: Any = handle.result(0)
        open_now: list[Interrupt] = result.get("__interrupt__", [])
        values = [str(each.value) for each in open_now]
        self.asked += [value for value in values if value not in self.asked]
        # One at a time, so that others are asked again.
        return {each.id: f"yes to {each.value}" for each in open_now[:1]}


CASES = [
    *(pytest.param(build, "async", id=build.__name__) for build in GRAPHS),
    *(pytest.param(build, "sync", id=f"{build.__name__}-sync") for build in (chain, nested)),
    *(pytest.param(build, "exit", id=f"{build.__name__}-exit") for build in (chain, questions)),
]


@pytest.mark.parametrize(("build", "durability"), CASES)
def test_a_death_at_any_write_changes_nothing(
    build: Callable[[Notes], Graph], durability: str
) -> None:
    whole = Trial(build, durability)
    expected = whole.play()
    moments = [(call, "before") for call in range(1, whole.writes + 1)]

    for call, when in (*moments, (whole.writes, "after")):
        trial = Trial(build, durability, cast(Any, when), call)
        assert trial.play() == expected, (call, when)
        # Threads may write at once, and it takes a call less.
        assert trial.has_died or trial.writes < call
        assert sorted(trial.asked) == sorted(whole.asked), (call, when)
        if durability != "exit":  # then nothing is recorded, and all begins once more
            assert trial.told == whole.told, (call, when)
