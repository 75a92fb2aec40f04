from __future__ import annotations

from collections.abc import Callable

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support.keys import PERMANENT, keys_without_ttl
from tests.support.server import RedisServer

StartRedis = Callable[..., RedisServer]


def test_a_killed_server_is_gone_until_it_is_started_again(start_redis: StartRedis) -> None:
    server = start_redis("--appendonly", "yes", "--appendfsync", "always")
    client = server.client(retry=Retry(NoBackoff(), 0))
    client.set("kept", "1")
    port = server.port

    server.kill()
    with pytest.raises(redis.ConnectionError):
        client.ping()
    server.restart()

    assert server.port == port
    assert client.get("kept") == b"1"


def test_a_restart_forgets_what_was_only_in_memory(start_redis: StartRedis) -> None:
    server = start_redis()
    client = server.client()
    client.set("lost", "1")

    server.restart()

    assert client.get("lost") is None


def test_a_paused_server_answers_once_it_resumes(start_redis: StartRedis) -> None:
    server = start_redis()
    client = server.client(socket_timeout=0.1, retry=Retry(NoBackoff(), 0))
    client.ping()

    server.pause()
    with pytest.raises(redis.TimeoutError):
        client.ping()
    server.resume()

    assert client.ping()


def test_a_paused_server_can_be_stopped(start_redis: StartRedis) -> None:
    server = start_redis()

    server.pause()
    server.stop()

    assert not server.running


def test_the_server_is_one_that_penstock_supports(redis_server: RedisServer) -> None:
    assert redis_server.version >= (6, 2)


def test_a_test_finds_the_shared_server_empty(redis_client: redis.Redis) -> None:
    assert redis_client.dbsize() == 0
    redis_client.set("left-behind", "1")


def test_a_test_finds_the_shared_server_empty_again(redis_client: redis.Redis) -> None:
    assert redis_client.dbsize() == 0


@pytest.mark.open_runs
def test_keys_without_ttl_are_found(redis_client: redis.Redis) -> None:
    redis_client.set("penstock:run:{é}", "1")
    redis_client.set("penstock:run:short", "1", ex=60)
    redis_client.set("penstock:open:all", "1")
    redis_client.set("rq:queues", "1")
    for key in PERMANENT:
        redis_client.set(key, "1")

    assert keys_without_ttl(redis_client) == ["penstock:run:{é}"]


def test_a_test_that_leaves_a_key_forever_fails(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        def test_forgetful(redis_client):
            redis_client.set("penstock:run:1", "1")

        @pytest.mark.open_runs
        def test_open_run(redis_client):
            redis_client.set("penstock:run:1", "1")
        """
    )
    pytester.makeconftest("from tests.conftest import *")

    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")

    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*not on the permanent list: penstock:run:1"])
