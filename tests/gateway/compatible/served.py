"""A gateway and a worker on one Redis, asked with LangGraph's own client."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from langgraph_sdk import get_sync_client

from penstock.runtime import Client
from tests.faults.support import gateways, workers
from tests.faults.support.gateways import Gateway, Gateways
from tests.faults.support.workers import Fleet
from tests.support.until import until

FLOWS = str(Path(__file__).with_name("flows.py"))

ENVIRON = {**gateways.QUICK, **workers.QUICK, "PENSTOCK_WEBHOOK_HOSTS": "127.0.0.1"}


class Served:
    """The processes, and clients of them."""

    def __init__(self, redis_url: str, fleet: Fleet) -> None:
        self.redis_url = redis_url
        self.fleet = fleet
        self.gateways = Gateways(fleet)

    def __enter__(self) -> Self:
        self.gateway: Gateway = self.gateways.start(ENVIRON)
        worker = self.fleet.start(app=FLOWS, environ=ENVIRON, ready=False)
        self.worker = worker.ready(timeout=60.0)
        self.client = Client(self.redis_url)
        self.url = self.gateway.url
        self.sdk: Any = get_sync_client(url=self.url, api_key=None)
        self.http = httpx.Client(base_url=self.url, timeout=20.0)
        names = {"doubled", "approving"}
        until(lambda: names <= set(self.entrypoints()), 30.0, "a worker that announces its app")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.http.close()
        self.sdk.http.client.close()
        self.client.close()

    def entrypoints(self) -> list[str]:
        """Return what live workers announce."""
        found: list[str] = self.http.get("/api/entrypoints").json()["entrypoints"]
        return found

    def thread(self) -> str:
        """Return the id of a new thread; runs on it are asked for with `if_not_exists`."""
        return str(uuid.uuid4())

    def stream(self, thread_id: str | None, assistant: str, **options: Any) -> list[Any]:
        """Follow a new run to its end; returns what came."""
        if thread_id is not None:
            options.setdefault("if_not_exists", "create")
        return list(self.sdk.runs.stream(thread_id, assistant, **options))

    def wait(self, thread_id: str | None, assistant: str, **options: Any) -> Any:
        """Wait for what comes of a new run."""
        options.setdefault("raise_error", False)
        if thread_id is not None:
            options.setdefault("if_not_exists", "create")
        return self.sdk.runs.wait(thread_id, assistant, **options)

    def create(self, thread_id: str | None, assistant: str, **options: Any) -> dict[str, Any]:
        """Begin a run."""
        if thread_id is not None:
            options.setdefault("if_not_exists", "create")
        found: dict[str, Any] = self.sdk.runs.create(thread_id, assistant, **options)
        return found


def of_mode(parts: Iterable[Any], mode: str) -> list[Any]:
    """Return the data of the events with a name."""
    return [part.data for part in parts if part.event == mode]
