"""The parts of a worker that have to live, and its last answer from Redis."""

from __future__ import annotations

__all__ = ["ANSWER", "Vitals"]

import time
from collections.abc import Mapping
from typing import Final

from penstock.runtime.concurrency.heartbeat import Heartbeat
from penstock.worker.health.status import Status

ANSWER: Final = 10.0
"""Seconds after its last answer for which Redis counts as reachable."""


class Vitals:
    """Collected by a worker, read by whoever asks for its health; from any thread."""

    def __init__(self) -> None:
        self._parts: Mapping[str, Heartbeat] = {}
        self._answered = 0.0
        self._is_draining = False

    def follow(self, parts: Mapping[str, Heartbeat]) -> None:
        """Watch these parts from now on: the worker has started them."""
        for heartbeat in parts.values():
            heartbeat.beat()
        self._parts = parts
        self._answered = time.monotonic()

    def answered(self) -> None:
        """Note that Redis has answered."""
        self._answered = time.monotonic()

    def drain(self) -> None:
        """Note that the worker ends: its threads are about to end, too."""
        self._is_draining = True

    def status(self) -> Status:
        """Return the health at this moment.

        A worker that drains is live, whatever its parts do: its own deadline ends it.
        """
        if self._is_draining:
            return Status({}, "it drains")
        parts = {name: heartbeat.problem() for name, heartbeat in self._parts.items()}
        return Status(parts, self._not_ready())

    def _not_ready(self) -> str:
        if not self._parts:
            return "it starts"
        silent = time.monotonic() - self._answered
        return f"Redis has not answered for {silent:.0f} s" if silent > ANSWER else ""
