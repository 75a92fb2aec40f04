"""Every promise of the runtime is checked without a checkpointer, in memory and over real Redis."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from penstock.runtime import InMemoryCache, InMemorySaver, RedisCache, RedisSaver
from tests.support.server import RedisServer


@pytest.fixture
def redis_saver(redis_server: RedisServer) -> Iterator[RedisSaver]:
    """A saver on the shared server, emptied; runs may be left open in it."""
    with redis.Redis.from_url(redis_server.url) as connection:
        connection.flushall()
        yield RedisSaver(connection)


@pytest.fixture(params=["memory", "redis"])
def saver(request: pytest.FixtureRequest) -> RedisSaver:
    """A checkpointer: in memory, then over Redis."""
    if request.param == "memory":
        return InMemorySaver()
    saver: RedisSaver = request.getfixturevalue("redis_saver")
    return saver


@pytest.fixture(params=["none", "memory", "redis"])
def any_saver(request: pytest.FixtureRequest) -> RedisSaver | None:
    """No checkpointer, then each of them."""
    if request.param == "none":
        return None
    if request.param == "memory":
        return InMemorySaver()
    saver: RedisSaver = request.getfixturevalue("redis_saver")
    return saver


@pytest.fixture(params=["memory", "redis"])
def cache(
    request: pytest.FixtureRequest, redis_server: RedisServer
) -> Iterator[InMemoryCache | RedisCache]:
    """A cache, empty: in memory, then in Redis."""
    if request.param == "memory":
        yield InMemoryCache()
        return
    with redis.Redis.from_url(redis_server.url) as connection:
        connection.flushall()
        yield RedisCache(connection)
