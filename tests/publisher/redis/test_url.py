from __future__ import annotations

import asyncio
from typing import Any

import pytest
import redis

from penstock.publisher.errors import ConfigurationError
from penstock.publisher.redis.connection import aconnect, connect
from penstock.publisher.redis.url import SentinelURL, redacted


@pytest.mark.parametrize("make", [connect, aconnect])
def test_a_url_of_sentinel_names_service_database_and_user(make: Any) -> None:
    url = "redis+sentinel://app:p%40ss@one,two:2000,[::1]:3000/mymaster/3?sentinel_password=s"

    pool = make(url).connection_pool

    assert (pool.service_name, pool.is_master) == ("mymaster", True)
    settings = pool.connection_kwargs
    assert (settings["db"], settings["username"], settings["password"]) == (3, "app", "p@ss")
    asked = [
        sentinel.connection_pool.connection_kwargs for sentinel in pool.sentinel_manager.sentinels
    ]
    assert [(each["host"], each["port"]) for each in asked] == [
        ("one", 26379),
        ("two", 2000),
        ("::1", 3000),
    ]
    assert {each["password"] for each in asked} == {"s"}
    assert {each.get("username") for each in asked} == {None}


@pytest.mark.parametrize("make", [connect, aconnect])
def test_tls_is_for_servers_and_sentinels(make: Any) -> None:
    pool = make("rediss+sentinel://one/mymaster?ssl_ca_certs=/ca.pem").connection_pool

    assert "SSL" in pool.connection_class.__name__
    assert pool.connection_kwargs["ssl_ca_certs"] == "/ca.pem"
    (asked,) = pool.sentinel_manager.sentinels
    assert "SSL" in asked.connection_pool.connection_class.__name__
    assert asked.connection_pool.connection_kwargs["ssl_ca_certs"] == "/ca.pem"


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://",
        "redis+sentinel://one:26379",
        "redis+sentinel://one:26379/",
        "redis+sentinel://one:port/mymaster",
        "redis+sentinel://one/mymaster/name",
        "http+sentinel://one/mymaster",
        "redis://:secret/half@localhost",
        "redis+sentinel://:secret/half@one/mymaster",
        "http://:secret@localhost",
    ],
)
@pytest.mark.parametrize("make", [connect, aconnect])
def test_a_url_that_cannot_be_read_is_refused_without_its_password(make: Any, url: str) -> None:
    with pytest.raises(ConfigurationError, match="is not the URL of a Redis server") as refused:
        make(url)

    assert "secret" not in str(refused.value) and "half" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost:6379/1", "redis://localhost:6379/1"),
        ("redis://:secret@localhost", "redis://:***@localhost"),
        ("rediss://app:se:cr@et@host/0", "rediss://app:***@host/0"),
        ("redis://app:sec/ret@host", "redis://app:***@host"),
        ("redis://app@host", "redis://app@host"),
        ("unix://app:x@/tmp/redis.sock?db=1", "unix://app:***@/tmp/redis.sock?db=1"),
        ("redis://host?password=secret&db=1", "redis://host?password=***&db=1"),
        (
            "redis+sentinel://:a@one,two/mymaster?sentinel_password=b",
            "redis+sentinel://:***@one,two/mymaster?sentinel_password=***",
        ),
    ],
)
def test_a_url_is_shown_without_its_passwords(url: str, shown: str) -> None:
    assert redacted(url) == shown


def test_other_urls_are_none_of_sentinel() -> None:
    assert SentinelURL.parse("redis://localhost") is None
    assert SentinelURL.parse("redis://localhost?x=+sentinel://") is None
    url = SentinelURL.parse("redis+sentinel://:secret@one/mymaster")
    assert "secret" not in repr(url)


def test_sentinels_that_do_not_answer_are_said_in_a_sentence_without_a_password() -> None:
    with connect("redis+sentinel://:secret@127.0.0.1:1,127.0.0.1:2/mymaster") as client:
        with pytest.raises(redis.ConnectionError) as sync:
            client.ping()

    async def ping() -> None:
        async with aconnect("redis+sentinel://:secret@127.0.0.1:1/mymaster") as client:
            await client.ping()

    with pytest.raises(redis.ConnectionError) as on_a_loop:
        asyncio.run(ping())
    says = "no Sentinel that answers knows a primary of 'mymaster'"
    assert [str(sync.value), str(on_a_loop.value)] == [says, says]
