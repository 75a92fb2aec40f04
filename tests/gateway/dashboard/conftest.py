"""A dashboard for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from penstock.runtime.testing import InMemoryWorker
from tests.gateway.dashboard.flows import FLOWS
from tests.gateway.dashboard.pages import Pages


@pytest.fixture
def pages() -> Iterator[Pages]:
    """A dashboard that needs no login."""
    with InMemoryWorker(FLOWS) as worker, Pages(worker) as pages:
        yield pages


@pytest.fixture
def closed() -> Iterator[Pages]:
    """A dashboard that needs a login."""
    with InMemoryWorker(FLOWS) as worker, Pages(worker, is_open=False) as pages:
        yield pages
