"""Real gateway processes, and readers that come back to another one."""

from __future__ import annotations

import itertools
import json
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any, Final, Self

import httpx

from penstock.publisher.event import TERMINAL
from tests.faults.support.workers import Fleet, WorkerProcess
from tests.support.until import until

QUICK: Final[Mapping[str, str]] = {"PENSTOCK_GATEWAY_DRAIN": "1", "PENSTOCK_GATEWAY_PULSE": "1"}
"""Ends fast enough for tests that are not about the defaults."""


class Gateway:
    """One `penstock serve`."""

    def __init__(self, process: WorkerProcess) -> None:
        self.process = process
        self._url = ""

    @property
    def url(self) -> str:
        """Where it serves, once it does."""
        if not self._url:
            self._url = until(self._served, 20.0, "a gateway that serves")
        return self._url

    def _served(self) -> str:
        assert self.process.running, self.process.text()
        found = re.search(r"serving on (http://[\w.:]+)", self.process.text())
        return found[1] if found else ""


class Gateways:
    """Starts gateways on one Redis; the fleet ends them."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def start(self, environ: Mapping[str, str] = QUICK, port: int = 0) -> Gateway:
        """Start one, at once."""
        command = [sys.executable, "-m", "penstock.worker.cli", "serve", "-p", str(port)]
        told = {"PENSTOCK_REDIS": self._fleet.url, **environ}
        return Gateway(self._fleet.run([*command, "--json-logs"], told))


class Reader:
    """Follows a run as a browser does: after each cut it comes back, to the next gateway."""

    def __init__(self, gateways: list[Gateway], run_id: str, first: int = 0) -> None:
        self.events: list[dict[str, Any]] = []
        self.cuts = 0
        self.failure: BaseException | None = None
        self._gateways = gateways
        self._path = f"/api/runs/{run_id}/events"
        self._turns = itertools.count(first)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        self._thread.join(20.0)

    @property
    def seqs(self) -> list[int]:
        """The numbers of the events, as they came."""
        return [event["seq"] for event in self.events]

    def wait(self, timeout: float = 60.0) -> list[int]:
        """Return the numbers of all events once the stream has ended."""
        self._thread.join(timeout)
        if self.failure is not None:
            raise self.failure
        assert not self._thread.is_alive(), f"still reads after event {self.seqs[-1:]}"
        return self.seqs

    def _work(self) -> None:
        try:
            with httpx.Client(timeout=10.0) as http:
                while not self._ended.is_set() and not self._read(http):
                    self._ended.wait(0.1)
        except BaseException as error:
            self.failure = error

    def _read(self, http: httpx.Client) -> bool:
        """Read until the stream ends, which is true, or is cut."""
        gateway = self._gateways[next(self._turns) % len(self._gateways)]
        headers = {"Last-Event-ID": str(self.events[-1]["seq"])} if self.events else {}
        try:
            with http.stream("GET", gateway.url + self._path, headers=headers) as answer:
                if answer.status_code == 503:
                    return False
                assert answer.status_code == 200, answer.read()
                for line in answer.iter_lines():
                    if line.startswith("data: "):
                        self.events.append(json.loads(line.removeprefix("data: ")))
                    if self._ended.is_set():
                        return True
        except httpx.TransportError:
            self.cuts += 1
            return False
        assert self.events[-1]["mode"] == TERMINAL, "a stream ended, though the run goes on"
        return True


def reading(gateways: list[Gateway], run_id: str, times: int, stack: ExitStack) -> Iterator[Reader]:
    """Let several readers follow a run, each from another gateway on."""
    for number in range(times):
        yield stack.enter_context(Reader(gateways, run_id, number))
