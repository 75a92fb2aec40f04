"""Versions of code: what a run begins with, and pins, which keep it to workers that have that."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from penstock.runtime import AsyncClient, entrypoint, interrupt
from penstock.runtime.diagnostics.waiting import read_waiting
from penstock.runtime.errors import ConfigurationError, RunNotFoundError
from penstock.runtime.executor.app import App
from penstock.runtime.settings import Settings
from penstock.runtime.testing import InMemoryWorker
from penstock.runtime.types.run import RunStatus

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")


def order_of(version: str = "", *, pin: bool = False) -> Any:
    """The entrypoint of a release."""

    @entrypoint(name="order", version=version, pin=pin)
    def order(x: int) -> Any:
        return [version, interrupt("ship?")]

    return order


def deploy(worker: InMemoryWorker, flow: Any, version: str = "") -> int:
    """Let a worker of another release take the place of the one before."""
    worker.app = App({flow.name: flow}, version=version)
    return worker.advance(0)


@pytest.mark.parametrize(
    ("declared", "setting", "kept"), [("", "", ""), ("3", "", "3"), ("", "7", "7"), ("3", "7", "3")]
)
def test_a_run_keeps_the_version_that_it_began_with(declared: str, setting: str, kept: str) -> None:
    with InMemoryWorker([order_of(declared)], settings=Settings(version=setting)) as worker:
        run = worker.client.enqueue("order", 1)
        assert run.info().version == ""
        worker.work()
        deploy(worker, order_of("4"), "8")
        run.resume("yes")
        deploy(worker, order_of("4"), "8")
        assert (run.info().version, run.info().is_pinned) == (kept, False)
        assert run.result(0) == ["4", "yes"]


def test_a_run_that_began_without_a_version_gets_none() -> None:
    with InMemoryWorker([order_of()]) as worker:
        run = worker.client.enqueue("order", 1)
        worker.work()
        run.resume("yes")
        deploy(worker, order_of("4", pin=True))
        assert (run.info().version, run.result(0)) == ("", ["4", "yes"])


def test_i34_a_pinned_run_goes_on_only_where_its_version_is() -> None:
    with InMemoryWorker([order_of("3", pin=True)]) as worker:
        run = worker.client.enqueue("order", 1)
        worker.work()
        run.resume("yes")
        for version in ("4", "", "4"):
            assert deploy(worker, order_of(version)) == 0
            assert run.status() is RunStatus.QUEUED
        waiting = worker.client.do(read_waiting(worker.client.plans, run.info()))
        assert "version '3' of entrypoint 'order'" in str(waiting)
        assert run.info().is_pinned
        deploy(worker, order_of("3", pin=True))
        assert run.result(0) == ["3", "yes"]


def test_an_unpinned_run_goes_on_anywhere() -> None:
    with InMemoryWorker([order_of("3", pin=True)]) as worker:
        runs = [worker.client.enqueue("order", number) for number in range(2)]
        worker.work()
        worker.client.unpin(runs[1])  # which waits for its answer
        for run in runs:
            run.resume("yes")
        deploy(worker, order_of("4", pin=True))
        assert runs[1].result(0) == ["4", "yes"]
        worker.client.unpin(runs[0].run_id)
        worker.work()
        assert runs[0].result(0) == ["4", "yes"]
        assert not runs[0].info().is_pinned
        with pytest.raises(RunNotFoundError, match="to unpin"):
            worker.client.unpin("nobody")


def test_asyncio_code_unpins_too() -> None:
    async def main(worker: InMemoryWorker) -> None:
        client: AsyncClient = worker.aclient
        async with client:
            run = await client.enqueue("order", 1)
            await worker.awork()
            assert (await run.info()).is_pinned
            await client.unpin(run)
            assert not (await run.info()).is_pinned

    with InMemoryWorker([order_of("3", pin=True)]) as worker:
        asyncio.run(main(worker))


def test_i40_without_a_version_nothing_is_written_and_nothing_said() -> None:
    app = App({"order": order_of()})
    assert app.token == app.digest
    assert App({"order": order_of("3")}).digest == app.digest
    with InMemoryWorker([order_of()]) as worker:
        run = worker.client.enqueue("order", 1)
        worker.work()
        fields: Any = worker.connection.hkeys(f"penstock:run:{run.run_id}")
        assert not {b"version", b"pin"} & set(fields)


@pytest.mark.parametrize("version", ["a b", "x" * 65, "ä", "1@2", 3])
def test_a_version_is_a_short_word(version: Any) -> None:
    with pytest.raises(ConfigurationError, match="version"):
        order_of(version)


def test_a_pin_needs_a_version() -> None:
    with pytest.raises(ConfigurationError, match="'order' pins its runs, and has no version"):
        InMemoryWorker([order_of(pin=True)])
