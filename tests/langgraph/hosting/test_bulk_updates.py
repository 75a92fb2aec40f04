"""Several updates of a hosted graph's thread in one: a checkpoint for each superstep of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph import types
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import InvalidUpdateError as TheirError

from penstock.langgraph import PenstockSaver, host
from penstock.langgraph.plain import plain
from penstock.publisher.redis.script import Argument, Call
from penstock.runtime import StateUpdate
from penstock.runtime.client.run import RunHandle
from penstock.runtime.errors import (
    ConfigurationError,
    InvalidUpdateError,
    UnknownCheckpointError,
)
from penstock.runtime.testing import InMemoryWorker
from tests.langgraph import graphs
from tests.langgraph.graphs import Graph
from tests.langgraph.hosting.mortal import Mortal

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")

Build = Callable[[Any], Graph]
CONFIG: Any = {"configurable": {"thread_id": "t"}}
HELLO = {"messages": [HumanMessage("hello", id="h")]}
ASKED = {"log": ["begin"]}

BYE = StateUpdate({"messages": [HumanMessage("bye", id="b")]}, "__input__")
MORE = StateUpdate(BYE.values, "__start__")
SAID = StateUpdate({"messages": [AIMessage("said", id="s")]}, "model")
LEFT, RIGHT = StateUpdate({"log": ["left"]}, "left"), StateUpdate({"log": ["right"]}, "right")
QUICK, END = StateUpdate({"log": ["quick"]}, "quick"), StateUpdate({"log": ["ended"]}, "end")

CASES: list[tuple[Build, Any, list[list[StateUpdate]]]] = [
    (graphs.agent, HELLO, [[MORE], [SAID], [BYE]]),
    (graphs.agent, HELLO, [[StateUpdate(None, "__copy__")], [SAID]]),
    (graphs.agent, HELLO, [[BYE], [StateUpdate(None, "__end__")]]),
    (graphs.asking, ASKED, [[LEFT, RIGHT]]),
    (graphs.asking, ASKED, [[LEFT, RIGHT, QUICK], [END]]),
]


@pytest.fixture
def worker() -> Iterator[InMemoryWorker]:
    builds = (graphs.agent, graphs.asking, graphs.nested)
    hosted = [host(build(None), name=build.__name__) for build in builds]
    with InMemoryWorker(hosted) as worker:
        yield worker


def run(worker: InMemoryWorker, build: Build, given: Any) -> RunHandle:
    handle = worker.client.enqueue(build.__name__, given, thread_id="t")
    worker.work()
    return handle


def updated(worker: InMemoryWorker, *args: Any) -> Any:
    """Update the state of thread "t", while a worker works."""
    with ThreadPoolExecutor(1) as pool:
        update = pool.submit(worker.client.thread("t").bulk_update, *args)
        while not update.done():
            worker.work()
            time.sleep(0.01)
    return update.result()


def alone(build: Build, given: Any, supersteps: Any) -> Graph:
    """Do the same in this process, by LangGraph's own method."""
    graph = build(InMemorySaver())
    graph.invoke(given, CONFIG)
    theirs = [
        [types.StateUpdate(each.values, each.as_node, each.task_id) for each in updates]
        for updates in supersteps
    ]
    graph.bulk_update_state(CONFIG, theirs)
    return graph


def seen(states: Any) -> Sequence[Any]:
    return [
        (
            plain(each.values),
            sorted(each.next),
            each.metadata["source"],
            each.metadata["step"],
            sorted((task.name, repr(plain(task.result))) for task in each.tasks),
        )
        for each in states
    ]


@pytest.mark.parametrize(("build", "given", "supersteps"), CASES)
def test_supersteps_make_the_points_that_langgraph_makes_of_them(
    worker: InMemoryWorker, build: Build, given: Any, supersteps: list[list[StateUpdate]]
) -> None:
    run(worker, build, given)

    config = updated(worker, supersteps)

    thread = worker.client.thread("t")
    assert thread.state().config == config
    with PenstockSaver(worker.connection) as saver:
        stored = list(build(saver).get_state_history(CONFIG))
    expected = alone(build, given, supersteps)
    assert seen(thread.history()) == seen(stored)
    assert seen(thread.history()) == seen(expected.get_state_history(CONFIG))
    assert seen([thread.state()]) == seen([expected.get_state(CONFIG)])


def test_what_waits_goes_on_from_the_last_superstep(worker: InMemoryWorker) -> None:
    handle = run(worker, graphs.asking, ASKED)

    updated(worker, [[LEFT, RIGHT, QUICK]])

    (asked,) = handle.result(0)["__interrupt__"]
    assert asked.value == {"before": ["end"]}
    handle.resume(None)
    worker.work()
    assert sorted(handle.result(0)["log"]) == ["begin", "end", "left", "quick", "right"]


def test_what_comes_before_an_update_that_is_refused_stays(worker: InMemoryWorker) -> None:
    handle = run(worker, graphs.asking, ASKED)
    supersteps = [[LEFT, RIGHT, QUICK], [StateUpdate({"log": ["x"]}, "nobody")]]

    with pytest.raises(InvalidUpdateError, match=r"thread 't' was not updated: .*nobody"):
        updated(worker, supersteps)
    with pytest.raises(TheirError):
        alone(graphs.asking, ASKED, supersteps)

    state = worker.client.thread("t").state()
    assert (sorted(state.values["log"]), state.next) == (
        ["begin", "left", "quick", "right"],
        ("end",),
    )
    (asked,) = handle.result(0)["__interrupt__"]
    assert asked.value == {"before": ["end"]}


def test_supersteps_may_branch_off_an_older_point_and_be_tuples(worker: InMemoryWorker) -> None:
    run(worker, graphs.agent, HELLO)
    thread = worker.client.thread("t")
    first = list(thread.history())[-2]

    config = updated(worker, [[(SAID.values, "model")], [MORE]], first.config)

    said = [message["content"] for message in thread.state().values["messages"]]
    assert said == ["hello", "said", "bye"]
    assert thread.state().config == config
    with pytest.raises(UnknownCheckpointError, match="no checkpoint '7'"):
        updated(worker, [[SAID]], "7")


def test_a_subgraph_that_waits_is_updated(worker: InMemoryWorker) -> None:
    run(worker, graphs.nested, ASKED)
    (task,) = worker.client.thread("t").state().tasks

    config = updated(worker, [[StateUpdate({"log": ["told"]}, "ask")]], task.state)

    state = worker.client.thread("t").state(config)
    assert (state.values, state.next) == ({"log": ["begin", "thought", "told"]}, ())
    with PenstockSaver(worker.connection) as saver:
        assert seen([state]) == seen([graphs.nested(saver).get_state(config)])


def test_supersteps_without_updates_or_a_graph_are_refused(worker: InMemoryWorker) -> None:
    thread = worker.client.thread("t")
    nothing: list[list[list[StateUpdate]]] = [[], [[]], [[SAID], []]]

    for supersteps in nothing:
        with pytest.raises(ConfigurationError, match=r"at least one update: give \[\[StateUpdate"):
            thread.bulk_update(supersteps)
    with pytest.raises(InvalidUpdateError, match="'t' is not one of a graph"):
        thread.bulk_update([[SAID]])


class Cut(Mortal):
    """A sender whose process dies as it is about to tell what an update has stored."""

    def __init__(self, connection: Any) -> None:
        super().__init__(connection, 0, "before")

    def ask(self, request: Call | tuple[Argument, ...], check: Callable[[], None]) -> Any:
        self.is_dead = self.is_dead or (isinstance(request, tuple) and request[0] == "HSET")
        return super().ask(request, check)


def test_supersteps_of_a_worker_that_died_are_told_by_the_next_one(worker: InMemoryWorker) -> None:
    handle = run(worker, graphs.asking, ASKED)
    supersteps, cuts = [[LEFT, RIGHT], [QUICK]], list[Cut]()

    def make_sender(connection: Any) -> Cut:
        cuts.append(Cut(connection))
        return cuts[-1]

    with ThreadPoolExecutor(1) as pool:
        update = pool.submit(worker.client.thread("t").bulk_update, supersteps)
        while not (cuts and cuts[0].is_dead):
            worker.work(make_sender)
            time.sleep(0.01)
        worker.advance(worker.settings.lease)
        with pytest.raises(InvalidUpdateError, match="died or was cut off: read the state"):
            update.result()

    thread, expected = worker.client.thread("t"), alone(graphs.asking, ASKED, supersteps)
    assert seen(thread.history()) == seen(expected.get_state_history(CONFIG))
    (asked,) = handle.result(0)["__interrupt__"]
    assert asked.value == {"before": list(thread.state().next)}


@pytest.mark.anyio
async def test_supersteps_are_made_from_asyncio_code(worker: InMemoryWorker) -> None:
    await asyncio.to_thread(run, worker, graphs.agent, HELLO)
    async with worker.aclient as client:
        update = asyncio.create_task(client.thread("t").bulk_update([[MORE], [SAID]]))
        while not update.done():
            await worker.awork()
            await asyncio.sleep(0.01)
        state = await client.thread("t").state()

    assert state.config == update.result()
    said = [message["content"] for message in state.values["messages"]]
    assert said[-2:] == ["bye", "said"]
