"""Fixtures for tests of LangGraph's state in Redis."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from penstock.langgraph import PenstockSaver


@pytest.fixture
def make_saver(redis_url: str) -> Iterator[Callable[..., PenstockSaver]]:
    """Makes savers over the shared server that are closed after the test."""
    with ExitStack() as stack:

        def make(**options: Any) -> PenstockSaver:
            return stack.enter_context(PenstockSaver(redis_url, **options))

        yield make
