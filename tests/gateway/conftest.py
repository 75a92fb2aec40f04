"""A gateway for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from penstock.runtime.testing import InMemoryWorker
from tests.gateway.api import Api
from tests.gateway.flows import FLOWS


@pytest.fixture
def api() -> Iterator[Api]:
    """A gateway that needs no keys."""
    with InMemoryWorker(FLOWS) as worker, Api(worker) as api:
        yield api


@pytest.fixture
def closed() -> Iterator[Api]:
    """A gateway that needs keys."""
    with InMemoryWorker(FLOWS) as worker, Api(worker, is_open=False) as api:
        yield api
