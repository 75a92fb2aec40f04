from __future__ import annotations

import random
from typing import Any
from unittest.mock import Mock

import pytest
import redis
from redis._parsers.base import BaseParser
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.exceptions import NoPermissionError, OutOfMemoryError, ReadOnlyError
from redis.sentinel import Sentinel

from penstock.publisher.errors import ConfigurationError, RedisUnavailableError
from penstock.publisher.redis.connection import Backoff, aconnect, connect, refusal, transient


def settings(client: Any) -> dict[str, Any]:
    return dict(client.connection_pool.connection_kwargs)


@pytest.mark.parametrize("make", [connect, aconnect])
def test_the_environment_names_the_server(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_REDIS_URL", "redis://example:1234/5")
    assert settings(make(None))["host"] == "example"

    monkeypatch.delenv("PENSTOCK_REDIS_URL")
    assert (settings(make(None))["host"], settings(make(None)).get("port")) == ("localhost", 6379)


@pytest.mark.parametrize("make", [connect, aconnect])
def test_a_wrong_url_is_named_as_such(make: Any) -> None:
    with pytest.raises(ConfigurationError, match="not the URL of a Redis server"):
        make("http://localhost")


@pytest.mark.parametrize(("make", "given"), [(connect, redis.Redis), (aconnect, AsyncRedis)])
def test_the_callers_client_is_copied_and_left_as_it_is(make: Any, given: Any) -> None:
    client = given(
        host="h", port=1, db=2, username="u", password="p", decode_responses=True, protocol=3
    )
    before = settings(client)

    own = settings(make(client))

    assert settings(client) == before
    wanted = ("host", "port", "db", "username", "password")
    assert [own[name] for name in wanted] == ["h", 1, 2, "u", "p"]
    assert not own["decode_responses"]
    assert own["retry"].get_retries() == 0


@pytest.mark.skipif(not hasattr(redis, "DriverInfo"), reason="this redis-py reads it at its import")
@pytest.mark.parametrize("make", [connect, aconnect])
def test_the_version_of_redis_py_is_read_once_a_client(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Mock(return_value="1.2.3")
    monkeypatch.setattr("redis.utils.get_lib_version", read)

    pool = make("redis://localhost").connection_pool
    told = [pool.make_connection().driver_info.lib_version for _ in range(3)]

    assert told == ["1.2.3"] * 3
    assert read.call_count == 1


@pytest.mark.parametrize("make", [connect, aconnect])
def test_tls_stays_tls(make: Any) -> None:
    pool = make("rediss://localhost").connection_pool

    assert pool.connection_class.__name__ == "SSLConnection"


@pytest.mark.parametrize(("make", "sentinel"), [(connect, Sentinel), (aconnect, AsyncSentinel)])
def test_a_sentinels_master_is_found_through_the_sentinel(make: Any, sentinel: Any) -> None:
    given = sentinel([("localhost", 26379)]).master_for("mymaster", password="p")

    pool = make(given).connection_pool

    assert pool is not given.connection_pool
    assert isinstance(pool, type(given.connection_pool))
    assert (pool.service_name, pool.is_master) == ("mymaster", True)
    assert settings(make(given))["password"] == "p"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (redis.ConnectionError("gone"), True),
        (redis.TimeoutError("late"), True),
        (redis.BusyLoadingError("loading"), True),
        (ReadOnlyError("replica"), True),
        (redis.ResponseError("BUSY Redis is busy running a script"), True),
        (ConnectionResetError(), True),
        (redis.AuthenticationError("wrong password"), False),
        (NoPermissionError("no"), False),
        (OutOfMemoryError("full"), True),
        (redis.ResponseError("NOREPLICAS Not enough good replicas to write."), True),
        (redis.ResponseError("WRONGTYPE"), False),
    ],
)
def test_some_errors_pass_and_others_do_not(error: Exception, expected: bool) -> None:
    assert transient(error) is expected


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        ("OOM command not allowed when used memory > 'maxmemory'.", "OOM"),
        ("READONLY You can't write against a read only replica.", "READONLY"),
        ("NOPERM this user has no permissions to run the 'get' command", "NOPERM"),
        ("NOAUTH Authentication required.", "NOAUTH"),
        ("MISCONF Redis is configured to save RDB snapshots", "MISCONF"),
        ("ERR unknown command", ""),
    ],
)
def test_a_refusal_is_known_by_its_code_however_redis_py_reads_it(reply: str, code: str) -> None:
    parser: Any = BaseParser

    assert refusal(parser.parse_error(reply)) == code


def test_waits_grow_up_to_a_second_and_start_again(caplog: pytest.LogCaptureFixture) -> None:
    backoff = Backoff("test")
    waits = [backoff.after(redis.ConnectionError("gone")) for _ in range(20)]

    assert waits[0] <= 0.04
    assert 0.5 <= waits[-1] <= 1.0
    assert len(caplog.records) == 1

    backoff.reset()
    assert backoff.after(redis.ConnectionError("gone")) <= 0.04


def test_a_wait_takes_no_number_from_an_app_that_has_seeded_its_own() -> None:
    before = random.getstate()

    Backoff("test").after(redis.ConnectionError("gone"))

    assert random.getstate() == before


def test_what_does_not_pass_is_not_waited_for() -> None:
    with pytest.raises(RedisUnavailableError, match="Redis refused test: no"):
        Backoff("test").after(redis.AuthenticationError("no"))
