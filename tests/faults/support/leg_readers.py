"""Readers of runs as LangGraph's clients are: after each cut they come back to another gateway."""

from __future__ import annotations

import itertools
import json
import threading
from typing import Any, Self

import httpx

from tests.faults.support.gateways import Gateway


class LegReader:
    """Follows a run in stream modes; `parts` has the id, the name and the data of each event."""

    def __init__(
        self, gateways: list[Gateway], path: str, modes: list[str], first: int = 0
    ) -> None:
        self.parts: list[tuple[str, str, Any]] = []
        self.cuts = 0
        self.failure: BaseException | None = None
        self._gateways = gateways
        self._path = path
        self._modes = modes
        self._turns = itertools.count(first)
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._left.set()
        self._thread.join(20.0)

    def wait(self, timeout: float = 60.0) -> list[tuple[str, str, Any]]:
        """Return all events once the stream has ended."""
        self._thread.join(timeout)
        if self.failure is not None:
            raise self.failure
        assert not self._thread.is_alive(), f"still reads after {self.parts[-1:]}"
        return self.parts

    def _work(self) -> None:
        try:
            with httpx.Client(timeout=10.0) as http:
                while not self._left.is_set() and not self._read(http):
                    self._left.wait(0.1)
        except BaseException as error:
            self.failure = error

    def _read(self, http: httpx.Client) -> bool:
        """Read until the stream ends, which is true, or is cut."""
        gateway = self._gateways[next(self._turns) % len(self._gateways)]
        headers = {"Last-Event-ID": self.parts[-1][0]} if self.parts else {}
        query = {"stream_mode": self._modes}
        url = gateway.url + self._path
        try:
            with http.stream("GET", url, headers=headers, params=query) as answer:
                if answer.status_code == 503:
                    return False
                assert answer.status_code == 200, answer.read()
                self._take(answer)
                if self._left.is_set():
                    return True
        except httpx.TransportError:
            self.cuts += 1
            return False
        assert self.parts[-1][1] in ("end", "error"), "a stream ended, though the run goes on"
        return True

    def _take(self, answer: httpx.Response) -> None:
        fields: dict[str, str] = {}
        for line in answer.iter_lines():
            if self._left.is_set():
                return
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields:
                part = (fields.get("id", ""), fields["event"], json.loads(fields["data"]))
                self.parts.append(part)
                fields = {}
