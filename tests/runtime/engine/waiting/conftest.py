"""Each promise about waiting is kept in process, over Redis, and on a worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.runtime.flows import Calls
from tests.support.ways import InProcess, OnMemoryWorker, Way


@pytest.fixture
def calls() -> Calls:
    """Counts what is executed."""
    return Calls()


@pytest.fixture
def on_worker() -> Iterator[OnMemoryWorker]:
    """A run on a worker in memory."""
    way = OnMemoryWorker()
    yield way
    way.close()


@pytest.fixture(params=["process", "worker"])
def way(request: pytest.FixtureRequest) -> Way:
    """A run in process, then one on a worker in memory."""
    if request.param == "process":
        return InProcess()
    found: OnMemoryWorker = request.getfixturevalue("on_worker")
    return found


@pytest.fixture(params=["process", "redis", "worker"])
def any_way(request: pytest.FixtureRequest) -> Way:
    """A run in process, in memory and over Redis, then one on a worker in memory."""
    if request.param == "worker":
        found: OnMemoryWorker = request.getfixturevalue("on_worker")
        return found
    return InProcess(request.getfixturevalue("redis_saver") if request.param == "redis" else None)
