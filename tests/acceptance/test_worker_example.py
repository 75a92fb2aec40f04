"""The example of the README gives the same three lines, whoever executes it and whoever listens."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.runtime import AsyncClient, Client
from tests.faults.support import flows
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import FLOWS, QUICK, Fleet, WorkerProcess
from tests.support.until import until

LINES = [
    ("custom", "Started processing"),
    ("custom", "Result is 10"),
    ("updates", {"main": 10}),
]
MODES = ["custom", "updates"]

BIN = Path(sys.executable).parent


def penstock_worker(fleet: Fleet) -> WorkerProcess:
    environ = {"PENSTOCK_REDIS": fleet.url, **QUICK}
    return fleet.run([str(BIN / "penstock"), "worker", str(FLOWS), "--log-json"], environ).ready()


def rq_worker(fleet: Fleet) -> WorkerProcess:
    command = [str(BIN / "rq"), "worker", "--serializer", "json", "--url", fleet.url]
    worker = fleet.run(command, {"PENSTOCK_APP": str(FLOWS), **QUICK})
    until(lambda: "Listening on" in worker.text(), 20)
    return worker


def supervised_worker(fleet: Fleet) -> WorkerProcess:
    return fleet.start(processes=2)


WORKERS = [penstock_worker, rq_worker, supervised_worker]


def test_in_process() -> None:
    config = {"configurable": {"thread_id": "abc"}}

    assert list(flows.main.stream({"x": 5}, config, stream_mode=MODES)) == LINES


@pytest.mark.filterwarnings("ignore:no live worker has announced")  # a plain RQ worker never does
@pytest.mark.parametrize("start", WORKERS)
def test_on_workers(
    start: Callable[[Fleet], WorkerProcess], fleet: Fleet, client: Client, checker: Checker
) -> None:
    start(fleet)

    run = client.enqueue("main", {"x": 5}, thread_id="abc")

    assert [tuple(event) for event in run.stream(stream_mode=MODES)] == LINES
    assert run.result(5) == 10
    late = client.get(run.run_id)
    assert [tuple(event) for event in late.stream(stream_mode=MODES)] == LINES
    checker.check(over=True)


@pytest.mark.filterwarnings("ignore:no live worker has announced")
@pytest.mark.parametrize("start", WORKERS)
def test_on_workers_from_asyncio(start: Callable[[Fleet], WorkerProcess], fleet: Fleet) -> None:
    async def follow() -> None:
        async with AsyncClient(fleet.url) as client:
            run = await client.enqueue(flows.main, {"x": 5}, thread_id="abc")
            assert [tuple(event) async for event in run.stream(stream_mode=MODES)] == LINES
            assert await run.result(5) == 10
            late = await client.get(run.run_id)
            assert [tuple(event) async for event in late.stream(stream_mode=MODES)] == LINES

    start(fleet)
    asyncio.run(follow())


def test_a_stream_goes_on_from_a_cursor(fleet: Fleet, client: Client) -> None:
    fleet.start()
    run = client.enqueue("main", {"x": 5})
    first = next(iter(run.stream(stream_mode=MODES)))

    rest = run.stream(stream_mode=MODES, after=first.seq)

    assert [tuple(event) for event in rest] == LINES[1:]


def test_a_stream_opened_before_a_worker_comes_sees_all_of_it(fleet: Fleet, client: Client) -> None:
    with pytest.warns(UserWarning, match="no live worker has announced entrypoint 'main'"):
        run = client.enqueue("main", {"x": 5})
    events = run.stream(stream_mode=MODES)

    fleet.start()

    assert [tuple(event) for event in events] == LINES
