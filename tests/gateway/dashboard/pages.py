"""A dashboard in this process, as a browser without scripts sees it."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Awaitable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import httpx

from penstock.gateway.auth.role import Role
from penstock.publisher.redis.script import run
from penstock.runtime.diagnostics.workers import APP, RELEASE
from penstock.runtime.executor.describing import describe
from penstock.runtime.redis.plans.thread_records import ThreadRecords
from tests.gateway.api import Api

T = TypeVar("T")

OWN = {"Sec-Fetch-Site": "same-origin"}
"""What a browser says of a form that the page itself has sent."""


class Pages(Api):
    """Opens pages and sends their forms; follows redirects, and keeps cookies."""

    def do(self, waiting: Awaitable[T]) -> T:
        """Wait for something in the loop of the app."""

        async def waited() -> T:
            return await waiting

        return self.runner.run(waited())

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request, as it is given."""
        return super().ask(method, path, **{"follow_redirects": True, **options})

    def open(self, path: str, code: int = 200, **query: Any) -> str:
        """Open a page; returns its text, without what HTML escapes."""
        return html.unescape(self.source(path, code, **query))

    def source(self, path: str, code: int = 200, **query: Any) -> str:
        """Open a page; returns its HTML."""
        found = self.ask("GET", f"/dashboard{path}", params=query or None)
        assert found.status_code == code, found.text
        return found.text

    def send(
        self, path: str, form: Mapping[str, str] | None = None, status: int = 200
    ) -> httpx.Response:
        """Send a form of the dashboard, with the token of the session."""
        data = {"token": self.token(), **(form or {})}
        found = self.ask("POST", f"/dashboard{path}", data=data, headers=OWN)
        assert found.status_code == status, found.text
        return found

    def token(self) -> str:
        """Read the token that a page carries."""
        return token_in(self.ask("GET", "/dashboard/login").text)

    def log_in(self, role: Role) -> httpx.Response:
        """Log in with a new key of a role; returns the page that comes then."""
        return self.send("/login", {"key": self.key_text(role)})

    def key_text(self, role: Role) -> str:
        """Make an API key."""
        return self.key(role)["x-api-key"]

    def run(self, entrypoint: str, input: Any = None, **options: Any) -> str:
        """Enqueue a run, and work until nothing is left to do; returns its id."""
        run = self.worker.client.enqueue(entrypoint, input, **options)
        self.worker.work()
        return run.run_id

    def join(self, name: str, *queues: str, version: str = "") -> None:
        """Have a worker that is listed, with the code of this one and what it tells of it."""
        keys, app = self.worker.client.plans.keys, replace(self.worker.app, version=version)
        run(self.worker.connection, self.worker.client.plans.calls.announce(app, 3600.0))
        describe(self.worker.connection, keys, app, time.time())
        fields = {"queues": ",".join(queues), "birth": "2026-11-30T10:00:00+00:00", "pid": "7"}
        self.worker.connection.hset(
            keys.worker(name), mapping={**fields, APP: app.token, RELEASE: "0.1.0"}
        )
        self.worker.connection.sadd(keys.workers, keys.worker(name))

    def record(self, thread_id: str, metadata: Mapping[str, Any] | None = None) -> None:
        """Give a thread a record, as LangGraph's clients do."""
        client = self.worker.client
        records = ThreadRecords(client.plans.keys, client.plans.codec, client.settings)
        client.do(records.create(thread_id, metadata or {}))

    def status(self, run_id: str) -> str:
        """Return the status of a run."""
        return self.worker.client.get(run_id).status()


def token_in(source: str) -> str:
    """Find the token of the forms of a page."""
    found = re.search(r'name="token" value="([0-9a-f]+)"', source)
    assert found is not None, source
    return found[1]
