"""LangGraph's own client, of a gateway and a worker that are processes of their own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_sync_client

from penstock.runtime import Client
from tests.faults.support.gateways import Gateways
from tests.faults.support.workers import Fleet
from tests.support.server import RedisServer
from tests.support.until import until

FLOWS = str(Path(__file__).with_name("thread_flows.py"))


class Sdk:
    """The client, and what else is needed to see that it is told the truth."""

    def __init__(self, url: str, client: Client) -> None:
        self.url = url
        self.client = client
        self.http = httpx.Client(base_url=url, timeout=20.0)
        sdk: Any = get_sync_client(url=url, api_key=None)
        self.sdk = sdk
        self.threads = sdk.threads
        self.assistants = sdk.assistants
        self.store = sdk.store

    def close(self) -> None:
        self.http.close()
        self.sdk.http.client.close()

    def run(self, thread_id: str, entrypoint: str, given: Any, timeout: float = 20.0) -> Any:
        """Have a run done on a thread, until it is over or asks; returns the thread."""
        run = self.client.enqueue(entrypoint, given, thread_id=thread_id)
        self.settled(run.run_id, timeout)
        return self.threads.get(thread_id)

    def settled(self, run_id: str, timeout: float = 20.0) -> None:
        """Return once a run is over or asks."""
        run = self.client.get(run_id)
        until(lambda: run.info().status not in ("queued", "running"), timeout, "the run's end")

    def new(self, **metadata: Any) -> str:
        """Make a thread; returns its id."""
        return str(self.threads.create(metadata=metadata)["thread_id"])


@pytest.fixture(scope="module")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sdk]:
    """A client whose worker has the flows of this folder; the processes are those of the file."""
    with RedisServer() as server:
        fleet = Fleet(server.url, tmp_path_factory.mktemp("sdk"))
        try:
            gateway = Gateways(fleet).start()
            fleet.start(app=FLOWS, ready=False).ready(timeout=60.0)
            with Client(server.url) as client:
                sdk = Sdk(gateway.url, client)
                until(lambda: _announced(sdk), 30.0, "a worker that announces its app")
                yield sdk
                sdk.close()
        finally:
            fleet.close()


def _announced(sdk: Sdk) -> bool:
    found = sdk.http.get("/api/entrypoints").json()["entrypoints"]
    return {"chat", "both", "slow", "steps"} <= set(found)


def tick() -> None:
    """Let the clock of records go on: they count milliseconds."""
    time.sleep(0.002)
