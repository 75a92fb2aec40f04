"""What Redis refuses is told with the fix that fits: by clients, commands and workers alike."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from redis._parsers.base import BaseParser

from penstock.publisher.errors import RedisUnavailableError
from penstock.publisher.redis.cause import explained, fix_for, waits_for
from penstock.publisher.redis.connection import connect
from penstock.runtime import AsyncClient, Client, RedisStore
from tests.support.server import RedisServer
from tests.support.tls import TLSPort
from tests.support.until import until

Start = Callable[..., RedisServer]


def refused(url: str) -> set[str]:
    """What a client, an asyncio client and a store say, which is one sentence each."""
    said: set[str] = set()

    async def ask() -> None:
        async with AsyncClient(url) as client:
            with pytest.raises(RedisUnavailableError) as caught:
                await client.enqueue("main", 1)
            said.add(str(caught.value))

    asyncio.run(ask())
    with Client(url) as client, pytest.raises(RedisUnavailableError) as caught:
        client.enqueue("main", 1)
    said.add(str(caught.value))
    with RedisStore(url) as store, pytest.raises(RedisUnavailableError) as caught:
        store.put(("a",), "k", {"x": 1})
    said.add(str(caught.value).replace(" for the store", ""))
    return said


def the_fix(url: str) -> str:
    fixes = {sentence.partition("; ")[2] for sentence in refused(url)}
    (fix,) = fixes
    return fix


@pytest.mark.parametrize(
    ("reply", "fix", "waits"),
    [
        ("LOADING Redis is loading the dataset in memory", "answers PONG", True),
        ("ERR max number of clients reached", "maxclients", True),
        ("BUSY Redis is busy running a script.", "script kill", True),
        ("MASTERDOWN Link with MASTER is down", "connect to the primary", True),
        ("NOAUTH Authentication required.", "redis://:PASSWORD@host", False),
        ("WRONGPASS invalid username-password pair", "user and password", False),
        (
            "ERR AUTH <password> called without any password configured for the default user.",
            "take it out",
            False,
        ),
        ("NOPERM this user has no permissions", "penstock doctor --user", False),
        ("DENIED Redis is running in protected mode because x. A. B.", "protected-mode no", False),
        ("MOVED 3999 127.0.0.1:6381", "cluster-enabled no", False),
        ("ASK 3999 127.0.0.1:6381", "cluster-enabled no", False),
        ("CROSSSLOT Keys in request don't hash to the same slot", "cluster-enabled no", False),
        ("CLUSTERDOWN Hash slot not served", "cluster-enabled no", False),
        ("ERR SELECT is not allowed in cluster mode", "cluster-enabled no", False),
        ("ERR DB index is out of range", "/0 to /15", False),
        ("OOM command not allowed when used memory > 'maxmemory'.", "raise maxmemory", False),
        ("MISCONF Redis is configured to save RDB snapshots", "its disk", False),
        ("NOREPLICAS Not enough good replicas to write.", "min-replicas-to-write", False),
        ("READONLY You can't write against a read only replica.", "to the primary", False),
        ("ERR unknown command", "penstock doctor", False),
    ],
)
def test_each_refusal_has_its_fix(reply: str, fix: str, waits: bool) -> None:
    parser: Any = BaseParser
    error = parser.parse_error(reply)

    assert fix in fix_for(error)
    assert waits_for(error) is waits
    assert ". " not in explained(error), "it is one sentence"


def test_a_server_that_is_not_there_has_another_fix_than_one_that_refuses() -> None:
    assert "start it" in the_fix("redis://127.0.0.1:1")


def test_passwords_and_users_that_redis_refuses(start_redis: Start) -> None:
    server = start_redis()
    server.client().config_set("requirepass", "secret")
    host = f"127.0.0.1:{server.port}"
    open_server = start_redis()

    assert "it requires a password" in the_fix(f"redis://{host}")
    for login in (":wrong", "bob:secret"):
        assert "check user and password" in the_fix(f"redis://{login}@{host}")
    assert "it has no password" in the_fix(f"redis://:secret@127.0.0.1:{open_server.port}")
    assert not [said for said in refused(f"redis://:wrong@{host}") if "wrong" in said]


def test_a_database_that_is_not_there(start_redis: Start) -> None:
    server = start_redis("--databases", "4")

    assert "end the Redis URL in a number that it has" in the_fix(f"{server.url}/4")


@pytest.mark.parametrize("slots", ["none", "all"])
def test_a_redis_in_cluster_mode(start_redis: Start, slots: str) -> None:
    server = start_redis("--cluster-enabled", "yes")
    if slots == "all":
        server.client().execute_command("CLUSTER", "ADDSLOTS", *range(16384))

    for url in (server.url, f"{server.url}/1"):
        with Client(url) as client, pytest.raises(RedisUnavailableError) as caught:
            client.enqueue("main", 1)
        assert "it runs in cluster mode" in str(caught.value)


def test_a_redis_whose_connections_are_all_in_use(start_redis: Start) -> None:
    server = start_redis()
    server.client().config_set("maxclients", 1)

    def says_so() -> bool:  # it may hang up before its words are read
        return any("all its connections are in use" in said for said in refused(server.url))

    until(says_so)


def test_tls_where_there_is_none_and_none_where_there_is(
    start_redis: Start, tmp_path: Path
) -> None:
    server = start_redis()
    with TLSPort(server.port, tmp_path) as tls:
        for url, fix in (
            (f"redis://127.0.0.1:{tls.port}", "it speaks TLS there: write rediss://"),
            (f"rediss://127.0.0.1:{tls.port}", "ssl_ca_certs=/path/to/ca.pem"),
            (f"rediss://127.0.0.1:{server.port}", "it does not speak TLS there: write redis://"),
        ):
            with connect(url, 1.0) as connection:
                with pytest.raises(redis.RedisError) as caught:
                    connection.ping()
                assert fix in fix_for(caught.value, connection)
        assert "write rediss://" in the_fix(f"redis://127.0.0.1:{tls.port}")
        trusted = f"rediss://127.0.0.1:{tls.port}?ssl_ca_certs={tls.certificate}"
        with Client(trusted) as client:
            assert client.runs() == []


def test_a_server_that_hangs_is_not_taken_for_one_of_tls(start_redis: Start) -> None:
    server = start_redis()
    server.pause()
    for scheme in ("redis", "rediss"):
        with connect(f"{scheme}://127.0.0.1:{server.port}", 0.5) as connection:
            with pytest.raises(redis.RedisError) as caught:
                connection.ping()

            assert "start it" in fix_for(caught.value, connection)
