"""A client and a receiver of webhooks, whose keys are held against their invariant."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from penstock.runtime import Client
from tests.faults.support.hooked import hooked_wrongly
from tests.faults.support.snapshot import Snapshot
from tests.support.receiver import Receiver
from tests.support.server import RedisServer
from tests.support.webhook_flow import HERE


@pytest.fixture
def client(redis_url: str) -> Iterator[Client]:
    with Client(redis_url, settings=HERE) as client:
        yield client


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


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
