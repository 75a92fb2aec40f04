"""Waiting for a condition, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

from penstock.runtime.client.run import RunHandle
from penstock.runtime.types.run import RunStatus

T = TypeVar("T")

_STANDSTILL: Final = 0.25
"""The seconds that one look and the pause after it count at most."""


class Patience:
    """A time limit that counts only time in which this process was at work.

    A virtual machine may stand still for many seconds, and then all deadlines by the clock are over
    before any other process has done a thing.
    """

    def __init__(self, seconds: float, what: object = "it did not happen") -> None:
        self._left = self._seconds = seconds
        self._what = what
        self._seen = time.monotonic()

    def look(self, pause: float = 0.0, left: object = "") -> None:
        """Let a time pass, in seconds, before the next look; `left` is what is still not so.

        Raises:
            AssertionError: the time is over.
        """
        assert self._left > 0, f"not within {self._seconds} s: {self._what} {left}"
        time.sleep(pause)
        now = time.monotonic()
        self._left -= min(now - self._seen, _STANDSTILL)
        self._seen = now


def until(
    condition: Callable[[], T], timeout: float = 30.0, what: str = "", every: float = 0.01
) -> T:
    """Return what the condition gives once it is true.

    Raises:
        AssertionError: it is not after `timeout` seconds.
    """
    patience = Patience(timeout, what or condition)
    while not (value := condition()):
        patience.look(every)
    return value


def reaches(run: RunHandle, *statuses: RunStatus, timeout: float = 30.0, what: str = "") -> None:
    """Return once a run has one of these statuses.

    Raises:
        AssertionError: it does not get there in time.
    """
    what = f"{what} run {run.run_id} {' or '.join(statuses)}"
    until(lambda: run.status() in statuses, timeout, what, every=0.05)
