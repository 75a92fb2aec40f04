"""A gateway and a worker, as processes of their own, for all tests of a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.support.workers import Fleet
from tests.gateway.compatible.served import Served
from tests.support.server import RedisServer


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gateway whose worker has the flows of this folder."""
    folder: Path = tmp_path_factory.mktemp("served")
    with RedisServer() as server:
        fleet = Fleet(server.url, folder)
        try:
            with Served(server.url, fleet) as served:
                yield served
        finally:
            fleet.close()
