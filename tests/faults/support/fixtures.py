"""Fixtures of tests that start worker processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from penstock.runtime import Client
from penstock.runtime.settings import Settings
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import Fleet
from tests.support.server import RedisServer


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A server of the test's own, with AOF, to be killed and restarted."""
    with RedisServer("--appendonly", "yes", "--appendfsync", "everysec") as server:
        yield server


@pytest.fixture
def raw(server: RedisServer) -> redis.Redis:
    """A client of the test's own server, which no fault reaches."""
    return server.client()


@pytest.fixture
def fleet(server: RedisServer, tmp_path: Path) -> Iterator[Fleet]:
    """Starts worker processes on the test's own server."""
    fleet = Fleet(server.url, tmp_path)
    yield fleet
    fleet.close()


@pytest.fixture
def client(server: RedisServer) -> Iterator[Client]:
    """A client of the test's own server."""
    with Client(server.url, settings=Settings(redis=server.url, feed=100_000)) as client:
        yield client


@pytest.fixture
def checker(raw: redis.Redis) -> Checker:
    """Holds the server against the invariants; call it at the end of a test."""
    return Checker(raw)
