"""An examination of a Redis: what was found, also where it cannot be examined."""

from __future__ import annotations

__all__ = ["Examination", "examination", "no_answer", "read_redis", "redis_cli", "refused"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from redis import Redis
from redis.exceptions import NoPermissionError, RedisError
from redis.sentinel import SentinelConnectionPool

from penstock.publisher.redis.cause import fix_for
from penstock.publisher.redis.connection import connect
from penstock.publisher.redis.url import redacted
from penstock.runtime.diagnostics.doctor import Finding, Level, Reading, examine
from penstock.runtime.diagnostics.doctor.facts import read
from penstock.runtime.redis.keys import Keys
from penstock.runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found, and what the server says of itself."""

    findings: Sequence[Finding]
    info: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The reply to INFO; empty if it cannot be read."""


def examination(settings: Settings) -> Examination:
    """Examine the Redis of some settings; that it does not answer is a finding too."""
    try:
        with connect(settings.redis) as connection:
            reading = read_redis(connection, settings)
            return Examination(examine(reading), reading.info)
    except NoPermissionError as error:
        return Examination([refused(error, "Nothing could be checked.")])
    except (RedisError, OSError) as error:
        return Examination([no_answer(error, settings)])


def read_redis(connection: Redis, settings: Settings, *, all_keys: bool = False) -> Reading:
    """Read what the checks need to know."""
    keys, cli = Keys.of(settings, connection), redis_cli(connection, settings.redis)
    return read(
        *(connection, keys, settings.codec()),
        cli=cli,
        all_keys=all_keys,
        feed_limit=settings.feed,
    )


def no_answer(error: Exception, settings: Settings) -> Finding:
    """Say that the server does not answer."""
    return Finding(
        "server",
        Level.PROBLEM,
        f"the server cannot be used: {error}",
        "No run can be enqueued or executed; workers wait until the server answers.",
        fix_for(error, connect(settings.redis)),
    )


def refused(error: Exception, means: str) -> Finding:
    """Say that the user may do nothing of it."""
    return Finding(
        "rights",
        Level.PROBLEM,
        f"the Redis user may not do this: {error}",
        means,
        "connect as a user with the rights of a worker: penstock doctor --user worker",
    )


def redis_cli(connection: Redis, url: str) -> str:
    """Begin a redis-cli command for a URL, without showing its password."""
    pool: Any = connection.connection_pool
    if isinstance(pool, SentinelConnectionPool):
        host, port = cast("tuple[str, int]", pool.get_master_address())
        return f"redis-cli -h {host} -p {port}"
    if redacted(url) != url:
        return 'redis-cli -u "$PENSTOCK_REDIS_URL"'
    return f"redis-cli -u {url}"
