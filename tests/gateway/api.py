"""A gateway in this process, with a worker that works when a test says so."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from penstock.gateway.app import guarded
from penstock.gateway.auth.api_key import new_key
from penstock.gateway.auth.api_keys import add_key
from penstock.gateway.auth.role import Role
from penstock.gateway.keys import GatewayKeys
from penstock.gateway.settings import GatewaySettings
from penstock.runtime.testing import InMemoryWorker


class Api:
    """Sends requests to the app, without a network."""

    def __init__(
        self,
        worker: InMemoryWorker,
        settings: GatewaySettings | None = None,
        is_open: bool = True,
        auth: Any = None,
    ) -> None:
        self.worker = worker
        settings = settings or GatewaySettings()
        self.app, self.shared = guarded(
            worker.aclient, settings=settings, is_open=is_open, auth=auth
        )
        self.runner = asyncio.Runner()

    def __enter__(self) -> Self:
        self.runner.run(self.shared.open())
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self._http = httpx.AsyncClient(transport=transport, base_url="http://localhost")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.runner.run(self._http.aclose())
        self.runner.run(self.shared.__aexit__(kind, error, traceback))
        self.runner.close()

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request."""
        return self.runner.run(self.request(method, path, **options))

    async def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request while another one is under way."""
        return await self._http.request(method, path, **options)

    def together(self, method: str, path: str, count: int, **options: Any) -> list[int]:
        """Send the same request several times at once, and work meanwhile; returns the statuses."""

        async def send() -> list[int]:
            asked = [
                asyncio.ensure_future(self._http.request(method, path, **options))
                for _ in range(count)
            ]
            while not all(each.done() for each in asked):
                await asyncio.sleep(0.01)
                await self.worker.awork()
            return [each.result().status_code for each in asked]

        return self.runner.run(send())

    def get(self, path: str, headers: Mapping[str, str] | None = None, **query: Any) -> Any:
        """Read something; returns its JSON."""
        found = self.ask("GET", path, params=query, headers=headers)
        assert found.status_code == 200, found.text
        return found.json()

    def post(self, path: str, body: Any = None, status: int = 202) -> Any:
        """Have something done; returns the JSON of the answer."""
        found = self.ask("POST", path, json=body)
        assert found.status_code == status, found.text
        return found.json()

    def run(self, entrypoint: str, input: Any = None, **options: Any) -> str:
        """Enqueue a run, and work until nothing is left to do; returns its id."""
        run_id = self.post("/api/runs", {"entrypoint": entrypoint, "input": input, **options})
        self.worker.work()
        return str(run_id["run_id"])

    def events(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """Read the events of a stream, to its end."""
        found = self.ask("GET", path, params=query)
        assert found.status_code == 200, found.text
        return frames(found.text)

    def key(self, role: Role) -> dict[str, str]:
        """Make an API key; returns the headers that it is sent in."""
        record, text = new_key(f"a {role}", role)
        keys = GatewayKeys(self.worker.settings.prefix)
        self.worker.client.do(add_key(keys, record))
        return {"x-api-key": text}


def frames(text: str) -> list[dict[str, Any]]:
    """Read frames: the members of each event, with `id` and `event` as they were sent."""
    found: list[dict[str, Any]] = []
    for frame in text.split("\n\n"):
        if not frame.strip() or frame.startswith(":"):
            continue
        fields = dict(line.split(": ", 1) for line in frame.splitlines())
        found.append({**json.loads(fields.pop("data")), **fields})
    return found
