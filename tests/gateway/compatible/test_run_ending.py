"""Runs that are cancelled or deleted, and end at once, later or not at all."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from penstock.gateway.compatible import run_ending
from penstock.gateway.settings import GatewaySettings
from penstock.runtime import entrypoint, interrupt
from penstock.runtime.testing import InMemoryWorker
from tests.gateway.api import Api
from tests.gateway.flows import FLOWS


class Stubborn:
    """A gateway whose worker is busy with a run that heeds nothing until it is let go."""

    def __init__(self, api: Api, began: threading.Event, go_on: threading.Event) -> None:
        self.api = api
        self._began = began
        self._go_on = go_on
        self._working = threading.Thread(target=api.worker.work)

    def begin(self, asks: bool = False) -> str:
        run = self.api.worker.client.enqueue("stubborn", asks, thread_id="t")
        if asks:
            self.api.worker.work()
            run.resume(True)
        self._working.start()
        assert self._began.wait(10.0)
        return run.run_id

    def end(self) -> None:
        self._go_on.set()
        if self._working.is_alive():
            self._working.join(10.0)


@pytest.fixture
def stubborn(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubborn]:
    monkeypatch.setattr(run_ending, "PATIENCE", 0.1)
    began, go_on = threading.Event(), threading.Event()

    @entrypoint()
    def stubborn(asks: bool) -> None:
        if asks:
            interrupt("go on?")
        began.set()
        go_on.wait(10.0)

    with InMemoryWorker([*FLOWS, stubborn]) as worker, Api(worker) as api:
        found = Stubborn(api, began, go_on)
        yield found
        found.end()


def test_a_cancelled_run_that_does_not_end_is_not_waited_for_for_ever(stubborn: Stubborn) -> None:
    path = f"/threads/t/runs/{stubborn.begin()}"

    waited = stubborn.api.ask("POST", f"{path}/cancel", params={"wait": "1"})
    deleted = stubborn.api.ask("DELETE", path)

    assert waited.status_code == 202
    assert deleted.status_code == 409
    assert "has not ended yet" in deleted.json()["detail"]
    stubborn.end()
    assert stubborn.api.ask("DELETE", path).status_code == 204
    assert stubborn.api.ask("GET", path).status_code == 404


def test_a_run_is_not_deleted_while_a_later_leg_of_it_is_at_work(stubborn: Stubborn) -> None:
    path = f"/threads/t/runs/{stubborn.begin(asks=True)}"

    while_at_work = stubborn.api.ask("DELETE", path)
    stubborn.end()
    afterwards = stubborn.api.ask("DELETE", path)

    assert (while_at_work.status_code, afterwards.status_code) == (409, 204)
    for leg in (path, f"{path}.2"):
        assert stubborn.api.ask("GET", leg).status_code == 404


@pytest.mark.parametrize("way", ["stream", "wait"])
def test_a_run_is_not_begun_for_a_stream_that_is_refused(api: Api, way: str) -> None:
    api.shared.streams.is_draining = True

    refused = api.ask("POST", f"/runs/{way}", json={"assistant_id": "doubled", "input": 1})

    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"
    assert list(api.worker.client.runs()) == []


def test_as_many_runs_are_begun_as_streams_are_let_in() -> None:
    body = {"assistant_id": "doubled", "input": 1}
    settings = GatewaySettings(streams=2)
    with InMemoryWorker(FLOWS) as worker, Api(worker, settings) as api:
        codes = api.together("POST", "/runs/stream", 5, json=body)
        refused = api.ask("POST", "/runs/stream", json={"assistant_id": "nobody"})

        assert sorted(codes) == [200, 200, 503, 503, 503]
        assert len(worker.client.runs()) == 2
        assert refused.status_code == 422
        assert len(api.shared.streams) == 0


def test_runs_are_cancelled_by_the_status_that_is_shown(api: Api) -> None:
    later: dict[str, Any] = {"assistant_id": "doubled", "input": 1, "after_seconds": 600}
    run = api.post("/threads/t/runs", {**later, "if_not_exists": "create"}, 200)

    def status() -> str:
        return str(api.get(f"/threads/t/runs/{run['run_id']}")["status"])

    api.ask("POST", "/runs/cancel", json={"status": "running"})
    before = status()
    api.ask("POST", "/runs/cancel", json={"status": "pending"})

    assert (before, status()) == ("pending", "interrupted")


def test_not_more_than_a_thousand_runs_are_named_at_once(api: Api) -> None:
    runs = [api.worker.client.enqueue("doubled", x, thread_id="t").run_id for x in range(3)]
    body = {"thread_id": "t", "run_ids": ["x"] * 1001}

    refused = api.ask("POST", "/runs/cancel", json=body)
    unknown = api.ask("POST", "/runs/cancel", json={"thread_id": "t", "run_ids": [*runs, "u.x"]})
    done = api.ask("POST", "/runs/cancel", json={"thread_id": "t", "run_ids": runs[1:]})

    assert refused.status_code == 422
    assert unknown.status_code == 404
    assert "'u.x'" in unknown.json()["detail"]
    assert done.status_code == 204
    shown = [api.get(f"/threads/t/runs/{each}")["status"] for each in runs]
    assert shown == ["pending", "interrupted", "interrupted"]
