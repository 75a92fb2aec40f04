"""Workers are killed as they execute graphs; others go on, and no recorded node begins again."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from penstock.langgraph import PenstockSaver
from penstock.publisher import Event, fold, subscribe
from penstock.runtime import Client, StateUpdate
from penstock.runtime.client.run import RunHandle
from penstock.runtime.settings import Settings
from tests.langgraph.hosting import agents, worker
from tests.support.forked import ForkedProcess
from tests.support.server import RedisServer
from tests.support.until import until

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def client(server: RedisServer) -> Iterator[Client]:
    server.client().flushall()
    with Client(server.url, settings=Settings(redis=server.url)) as client:
        yield client


@contextmanager
def working(
    url: str, point: str = "", *, log: Path | None = None, **environ: str
) -> Generator[ForkedProcess]:
    """Have a worker of the graphs meanwhile, perhaps one that dies at a point."""
    env = {**os.environ, "PENSTOCK_REDIS_URL": url, "PENSTOCK_LEASE": "4", **environ}
    process = ForkedProcess(worker.main, (point,), log or Path(os.devnull), env)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def stored_tasks(url: str, thread_id: str) -> set[str]:
    """Return the nodes that are recorded as finished, by the points and writes of a thread."""
    with PenstockSaver(url) as saver:
        points = list(saver.list({"configurable": {"thread_id": thread_id}}))
    logs = [point.checkpoint["channel_values"].get("log", []) for point in points]
    for point in points:
        logs += [value for _, channel, value in point.pending_writes or () if channel == "log"]
    return {name for log in logs for name in log}


POINTS = (
    *(f"before:record:{number}" for number in range(1, 9)),
    *("before:suspend:1", "after:suspend:1"),
)


@pytest.mark.parametrize("point", POINTS)
def test_a_run_goes_on_when_its_worker_dies_between_two_writes(
    server: RedisServer, client: Client, point: str
) -> None:
    with working(server.url, point) as first:
        run = client.enqueue("talk", {"log": ["in"]}, thread_id="t", durability="sync")
        until(lambda: first.poll() is not None)
        assert first.returncode == -signal.SIGKILL
    _end(server, run)


def test_a_run_goes_on_when_its_worker_dies_after_an_answer(
    server: RedisServer, client: Client
) -> None:
    with working(server.url, "before:suspend:2") as first:
        run = client.enqueue("talk", {"log": ["in"]}, thread_id="t", durability="sync")
        assert run.result(30)["__interrupt__"][0].value == "first?"
        run.resume("yes to first?")
        until(lambda: first.poll() is not None)
    _end(server, run)


@pytest.mark.parametrize("point", ["before:finish:1", "after:finish:1"])
def test_a_run_goes_on_when_its_worker_dies_as_it_ends(
    server: RedisServer, client: Client, point: str
) -> None:
    with working(server.url, point) as first:
        run = client.enqueue("talk", {"log": ["in"]}, thread_id="t", durability="sync")
        for question in ("first?", "second?"):
            assert run.result(30)["__interrupt__"][0].value == question
            run.resume(f"yes to {question}")
        until(lambda: first.poll() is not None)
    before = agents.executed(server.client())
    _end(server, run)
    assert agents.executed(server.client()) == before


def _end(server: RedisServer, run: RunHandle) -> None:
    """Let another worker go on, answer what is asked, and look at what came of it."""
    raw: redis.Redis = server.client()
    stored, before = stored_tasks(server.url, "t"), len(agents.executed(raw))
    with working(server.url):
        result = run.result(30)
        while "__interrupt__" in result:
            (question,) = result["__interrupt__"]
            run.resume(f"yes to {question.value}")
            result = run.result(30)

    done = agents.executed(raw)
    assert set(done[before:]).isdisjoint(stored), "recorded, and executed once more"
    said = ["begin", "left", "right"]
    answers = "yes to first? yes to second?"
    assert result == {"log": ["in", *said, "in", *said, "think", answers, "end"]}
    assert set(Counter(done)) == {*said, "think", "ask", "end"}


def test_a_node_in_which_its_worker_dies_is_executed_again(
    server: RedisServer, client: Client
) -> None:
    with working(server.url) as first:
        run = client.enqueue("mid_node", {"log": ["in"]}, durability="sync")
        until(lambda: first.poll() is not None)
    with working(server.url):
        assert run.result(30) == {"log": ["in", "first", "deadly", "last"]}

    assert agents.executed(server.client()) == ["first", "deadly", "deadly", "last"]


def test_a_reader_sees_each_word_once_though_the_worker_dies_as_it_speaks(
    server: RedisServer, client: Client
) -> None:
    with working(server.url), working(server.url):
        run = client.enqueue("speaker", {"log": ["in"]})
        live = list(run.stream(["custom", "updates", "retry"]))

    said = [event.data for event in live if event.mode == "custom"]
    assert said == ["one", "two", "one", "two", "three"]
    (void,) = [event for event in live if event.mode == "retry"]
    assert void.data["name"] == "speak"
    assert [event.data for event in fold(live)] == [
        *({"first": {"log": ["first"]}}, "one", "two", "three"),
        *({"speak": {"log": ["spoke"]}}, {"last": {"log": ["last"]}}),
    ]
    with subscribe(run.run_id, connection=server.client()) as events:
        facts = fold(list(events))
    words = [event.data["chunk"] for event in facts if _mode(event) == "custom"]
    assert words == ["one", "two", "three"]


def _mode(event: Event) -> str:
    return str(event.data["mode"]) if event.mode == "graph" else ""


def test_a_worker_that_slept_past_its_lease_stores_nothing(
    server: RedisServer, client: Client, tmp_path: Path
) -> None:
    go_on, log = tmp_path / "go on", tmp_path / "log"
    with working(server.url, log=log, GO_ON=str(go_on)) as zombie:
        run = client.enqueue("slowly", {"log": ["in"]}, thread_id="t")
        until(lambda: "slow" in agents.executed(server.client()))
        zombie.send_signal(signal.SIGSTOP)
        go_on.touch()
        with working(server.url, GO_ON=str(go_on)):
            assert run.result(30) == {"log": ["in", "first", "slow", "last"]}
            keys = {key: server.client().dump(key) for key in _graph_keys(server)}
            zombie.send_signal(signal.SIGCONT)
            until(lambda: "is left to another attempt" in log.read_text())

    assert agents.executed(server.client()).count("slow") == 2
    assert {key: server.client().dump(key) for key in _graph_keys(server)} == keys


def _graph_keys(server: RedisServer) -> list[Any]:
    found: Any = server.client().keys("penstock:graph:*")
    return sorted(found)


def test_a_worker_that_ends_hands_a_run_over_at_the_next_superstep(
    server: RedisServer, client: Client, tmp_path: Path
) -> None:
    go_on, log = tmp_path / "go on", tmp_path / "log"
    with working(server.url, log=log, GO_ON=str(go_on)) as first:
        run = client.enqueue("slowly", {"log": ["in"]}, thread_id="t")
        until(lambda: "slow" in agents.executed(server.client()))
        first.terminate()
        until(lambda: "handing its runs over" in log.read_text())
        go_on.touch()
        first.wait(30)
    assert run.status() == "queued"
    with working(server.url, GO_ON=str(go_on)):
        assert run.result(30) == {"log": ["in", "first", "slow", "last"]}

    assert agents.executed(server.client()) == ["first", "slow", "last"]


def test_nodes_have_a_store_and_a_cache_in_redis(server: RedisServer, client: Client) -> None:
    with working(server.url):
        first = client.enqueue("storing", {"log": ["soup"]}).result(30)
    with working(server.url):
        second = client.enqueue("storing", {"log": ["tea"]}).result(30)

    assert first == {"log": ["soup", "soup", "soup"]}
    assert second == {"log": ["tea", "tea", "soup"]}, "out of the cache"
    assert agents.executed(server.client()) == ["recall"]


def test_a_run_that_is_cancelled_ends_in_the_middle_of_a_node(
    server: RedisServer, client: Client
) -> None:
    with working(server.url):
        run = client.enqueue("patiently", {"log": ["in"]}, thread_id="t")
        until(lambda: "patient" in agents.executed(server.client()))
        run.cancel()
        until(lambda: run.status() == "cancelled")

    assert stored_tasks(server.url, "t") == {"in", "first"}


@pytest.mark.parametrize(
    ("point", "stored"),
    [
        ("before:graph.put_writes:1", []),
        ("after:graph.put:1", ["told"]),
        ("after:graph.put:2", ["told", "over"]),
        ("before:requestion:1", ["told", "over"]),
        ("after:requestion:1", ["told", "over"]),
        ("before:finish:1", ["told", "over"]),
        ("after:finish:1", ["told", "over"]),
    ],
)
def test_an_update_is_made_once_or_not_though_its_worker_dies(
    server: RedisServer,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    point: str,
    stored: list[str],
) -> None:
    monkeypatch.setattr("penstock.runtime.client.thread.PATIENCE", 60)
    supersteps = [
        [StateUpdate({"log": ["told"]}, "ask")],
        [StateUpdate({"log": ["over"]}, "last")],
    ]
    with working(server.url):
        run = client.enqueue("asking", {"log": ["in"]}, thread_id="t")
        assert run.result(30)["__interrupt__"][0].value == "first?"

    with working(server.url, point) as mortal, ThreadPoolExecutor(1) as pool:
        update = pool.submit(client.thread("t").bulk_update, supersteps)
        until(lambda: mortal.poll() is not None)
        with working(server.url):
            error = update.exception(60)
            state = client.thread("t").state()
            run.resume("yes to first?")
            result = run.result(30)

    assert (error is None) == (point == "after:finish:1")
    assert error is None or "died or was cut off: read the state" in str(error)
    assert state.values == {"log": ["in", "first", *stored]}
    assert state.next == {0: ("ask",), 1: ("last",), 2: ()}[len(stored)]
    if stored:
        rest = ["last"] if len(stored) == 1 else []
        assert result == {"log": ["in", "first", *stored, *rest]}
    else:
        assert result["__interrupt__"][0].value == "second?"
