"""Stores for tests: the in-memory one, and one on a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from penstock.runtime.store.memory import InMemoryStore
from penstock.runtime.store.redis import RedisStore

MakeStore = Callable[..., RedisStore]


@pytest.fixture(params=["memory", "redis"])
def make_store(request: pytest.FixtureRequest, redis_url: str) -> Iterator[MakeStore]:
    """Makes stores of one kind: `make_store(ttl={...})`; those on the server share their items."""
    with ExitStack() as stores:

        def make(**options: Any) -> RedisStore:
            kind = request.param
            store = (
                InMemoryStore(**options) if kind == "memory" else RedisStore(redis_url, **options)
            )
            return stores.enter_context(store)

        yield make


@pytest.fixture
def store(make_store: MakeStore) -> RedisStore:
    """A store without index and TTL."""
    return make_store()
