"""Threads that are pruned while a run begins on them, and is rolled back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from penstock.langgraph import PenstockSaver, host
from penstock.publisher.plan import follow
from penstock.publisher.redis.script import Call, run
from penstock.runtime.client.run import RunHandle
from penstock.runtime.testing import InMemoryWorker
from tests.langgraph import graphs

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")


def begin(worker: InMemoryWorker) -> RunHandle:
    """Have a run make points on thread "t", and ask."""
    handle = worker.client.enqueue("agent", {"log": ["more"]}, thread_id="t")
    worker.work()
    assert handle.status() == "suspended"
    return handle


def roll_back(worker: InMemoryWorker) -> None:
    worker.client.enqueue("agent", None, thread_id="t", on_busy="rollback").cancel()


def prune(worker: InMemoryWorker, acts: dict[str, Callable[[], object]]) -> bool:
    """Prune thread "t"; what acts do is done once, before the first call of a script."""

    def ask(request: Any) -> Any:
        if isinstance(request, Call):
            acts.pop(request.script.name, lambda: None)()
            return run(worker.connection, request)
        return worker.connection.execute_command(*request)

    return follow(worker.client.threads.keep_latest("t"), ask)


@pytest.mark.parametrize(
    ("begins_before", "is_rolled_back_at_once"),
    [("points", False), ("points", True), ("forget", False)],
    ids=["its points are read", "and it is rolled back", "they are not read"],
)
def test_a_run_that_begins_while_its_thread_is_pruned_can_be_rolled_back(
    begins_before: str, is_rolled_back_at_once: bool
) -> None:
    with InMemoryWorker([host(graphs.nested(None), name="agent")]) as worker:
        first = begin(worker)
        for _ in range(2):
            first.resume("yes")
            worker.work()
        thread = worker.client.thread("t")
        before = thread.state()
        acts: dict[str, Callable[[], object]] = {begins_before: lambda: begin(worker)}
        if is_rolled_back_at_once:
            acts["forget"] = lambda: roll_back(worker)

        assert not prune(worker, acts)

        if not is_rolled_back_at_once:
            roll_back(worker)
        assert thread.state() == before


def test_a_thread_is_pruned_once_its_runs_are_over() -> None:
    with InMemoryWorker([host(graphs.nested(None), name="agent")]) as worker:
        first = begin(worker)
        assert not prune(worker, {})
        for _ in range(2):
            first.resume("yes")
            worker.work()
        before = worker.client.thread("t").state().values

        assert prune(worker, {})

        states = list(worker.client.thread("t").history())
        assert [each.values for each in states] == [before]


def test_a_thread_that_is_written_to_while_it_is_pruned_keeps_what_comes_before() -> None:
    """The new point may continue any of the old ones."""
    place: Any = {"configurable": {"thread_id": "t"}}
    with InMemoryWorker([host(graphs.map_reduce(None), name="agent")]) as worker:
        worker.client.enqueue("agent", {"words": ["one"]}, thread_id="t")
        worker.work()
        with PenstockSaver(worker.connection) as saver:
            graph = graphs.map_reduce(saver)
            points = list(saver.list(place))

            def go_on() -> None:
                graph.update_state(points[-1].config, {"words": ["two"]}, "split")

            assert not prune(worker, {"forget": go_on})

            assert len(list(saver.list(place))) == len(points) + 1
