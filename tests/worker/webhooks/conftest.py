"""Holds the keys of webhooks against their invariant after each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from tests.faults.support.hooked import hooked_wrongly
from tests.faults.support.snapshot import Snapshot
from tests.support.server import RedisServer


@pytest.fixture(autouse=True)
def hooks_agree(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test of Redis after which keys of webhooks do not agree (I38)."""
    if "redis_url" not in request.fixturenames:
        yield
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    yield
    with redis.Redis.from_url(server.url) as client:
        assert list(hooked_wrongly(Snapshot.take(client))) == []
