"""Waiting for a condition, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from penstock.runtime.client.run import RunHandle
from penstock.runtime.types.run import RunStatus

T = TypeVar("T")


def until(
    condition: Callable[[], T], timeout: float = 10.0, what: str = "", every: float = 0.01
) -> T:
    """Return what the condition gives once it is true.

    Raises:
        AssertionError: it is not after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {timeout} s: {what or condition}"
        time.sleep(every)
    return value


def reaches(run: RunHandle, *statuses: RunStatus, timeout: float = 10.0, what: str = "") -> None:
    """Return once a run has one of these statuses.

    Raises:
        AssertionError: it does not get there in time.
    """
    what = f"{what} run {run.run_id} {' or '.join(statuses)}"
    until(lambda: run.status() in statuses, timeout, what, every=0.05)
