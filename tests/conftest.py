"""Fixtures for every test: real Redis servers, and no key of ours that lives forever."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import hypothesis
import pytest
import redis

from tests.support.drive import KINDS, Drive
from tests.support.keys import keys_without_ttl
from tests.support.server import RedisServer

pytest_plugins = ("pytester",)

# How long an example takes on a machine that does other things too is no property of the code.
hypothesis.settings.register_profile(
    "penstock", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("penstock")


LONGEST = (
    *("test_two_at_once.py", "test_soak_minute.py", "test_redis.py", "test_death.py"),
    *("test_pages.py", "test_kill_points.py", "test_pause.py", "test_points.py"),
    *("test_load.py", "test_demo.py", "test_programs.py", "test_protocol_machine.py"),
    *(
        "test_browser.py",
        "test_remote.py",
        "test_timers.py",
        "test_benchmarks.py",
        "test_typing.py",
    ),
)
"""Files that take a quarter of a minute or more each."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no process is left with one at the end."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """The server that tests share; take `redis_url` or `redis_client` to find it empty."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The URL of the shared server, emptied."""
    if not redis_server.running:
        redis_server.start()
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url


@pytest.fixture
def redis_client(redis_url: str) -> Iterator[redis.Redis]:
    """A client of the shared server, emptied."""
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def start_redis() -> Iterator[Callable[..., RedisServer]]:
    """Starts servers of the test's own: `start_redis("--appendonly", "yes")`; may be killed."""
    with ExitStack() as servers:
        yield lambda *options: servers.enter_context(RedisServer(*options))


@pytest.fixture(autouse=True)
def own_environment() -> Iterator[None]:
    """Undoes what a worker in this process has told its app by the environment."""
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """Undoes what a worker in this process does at signals: RQ's goes on to raise at a SIGTERM."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def no_key_forever(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that leaves a key without TTL, unless it is marked `open_runs`."""
    if "redis_url" not in request.fixturenames or request.node.get_closest_marker("open_runs"):
        yield
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    yield  # set up first, so torn down last: by now the test's workers have ended
    with redis.Redis.from_url(server.url) as client:
        forever = keys_without_ttl(client)
    if forever:
        pytest.fail(f"keys without TTL that are not on the permanent list: {', '.join(forever)}")


@pytest.fixture(params=KINDS)
def drive(request: pytest.FixtureRequest, redis_server: RedisServer) -> Drive:
    """Runs entrypoints in process, sync and async, over Redis, and on a worker."""
    if not redis_server.running:
        redis_server.start()
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return Drive(request.param, redis_server.url)
