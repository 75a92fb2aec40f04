"""Connections of our own, made like the caller's, and what to do when one breaks."""

from __future__ import annotations

__all__ = ["Backoff", "aconnect", "connect", "refusal", "transient"]

import builtins
import logging
import os
import re
from typing import Any, cast

import redis
from redis import Redis
from redis import asyncio as aredis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import MasterNotFoundError as AsyncMasterNotFoundError
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.asyncio.sentinel import SentinelConnectionPool as AsyncSentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import (
    AskError,
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ClusterCrossSlotError,
    ClusterDownError,
    ConnectionError,
    MasterDownError,
    MovedError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    TimeoutError,
    TryAgainError,
)
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, Sentinel, SentinelConnectionPool

from penstock.publisher.chance import chance
from penstock.publisher.errors import ConfigurationError, RedisUnavailableError
from penstock.publisher.redis.pool import MOST, AsyncPool, AsyncSentinelPool, Pool, SentinelPool
from penstock.publisher.redis.url import SentinelURL, redacted

logger = logging.getLogger(__name__)

TIMEOUT = 5.0
"""Seconds without an answer after which a connection counts as lost."""

SENTINEL_TIMEOUT = 1.0
"""Seconds until the next Sentinel is asked."""

_WAIT = (ConnectionError, TimeoutError, builtins.ConnectionError, BusyLoadingError)
_REFUSED = (AuthenticationError, AuthorizationError)
_PASSING = frozenset(
    "BUSY CLUSTERDOWN LOADING MASTERDOWN MISCONF NOREPLICAS OOM READONLY TRYAGAIN".split()
)
_CODE = re.compile(r"(?:^|@user_script[^-]*-)([A-Z]{3,})\b")
_LATER = (ReadOnlyError, ClusterDownError, TryAgainError)
_CODES: dict[type[Exception], str] = {
    BusyLoadingError: "LOADING",
    MasterDownError: "MASTERDOWN",
    ClusterDownError: "CLUSTERDOWN",
    ClusterCrossSlotError: "CROSSSLOT",
    MovedError: "MOVED",
    AskError: "ASK",
    TryAgainError: "TRYAGAIN",
    NoPermissionError: "NOPERM",
    OutOfMemoryError: "OOM",
    ReadOnlyError: "READONLY",
}
"""Of these redis-py drops the code from the text."""


def connect(connection: Redis | str | None, timeout: float = TIMEOUT) -> Redis:
    """Make a client of our own that reaches the same server as the given one, or a URL.

    None is the environment's `PENSTOCK_REDIS_URL`, else `redis://localhost:6379`; a URL may be one
    of Sentinel (`SentinelURL`), whose primary is then asked for at each connection. The client
    never repeats a command by itself and never reconnects unseen, whatever the given one does;
    while all of its connections are taken, a call waits for one; after `timeout` seconds without an
    answer a connection counts as lost.

    Raises:
        ConfigurationError: the URL is not one of Redis.
    """
    once = Retry(NoBackoff(), 0)
    pool: Any = _given(connection, Redis, _Sentinel, once).connection_pool
    settings = _settings(pool, once, timeout)
    if "sentinel_manager" in settings:
        return Redis.from_pool(cast(Any, SentinelPool)(**settings))
    return Redis.from_pool(Pool(**settings))


def aconnect(connection: aredis.Redis | str | None) -> aredis.Redis:
    """Make an asyncio client as `connect` makes one; it connects in the loop that first uses it."""
    once = AsyncRetry(NoBackoff(), 0)
    pool: Any = _given(connection, aredis.Redis, _AsyncSentinel, once).connection_pool
    settings = _settings(pool, once)
    if "sentinel_manager" in settings:
        return aredis.Redis.from_pool(AsyncSentinelPool(**settings))
    return aredis.Redis.from_pool(AsyncPool(**settings))


class _Sentinel(Sentinel):
    """Says in one sentence that there is no primary."""

    def discover_master(self, service_name: str) -> tuple[str, int]:
        try:
            asked: Any = super()
            return cast("tuple[str, int]", asked.discover_master(service_name))
        except MasterNotFoundError:
            raise _no_primary(service_name) from None


class _AsyncSentinel(AsyncSentinel):
    """As `_Sentinel`; leaves no connection behind, as nobody closes those to the Sentinels."""

    async def discover_master(self, service_name: str) -> tuple[str, int]:
        try:
            return cast("tuple[str, int]", await super().discover_master(service_name))
        except AsyncMasterNotFoundError:
            raise _no_primary(service_name) from None
        finally:
            for sentinel in self.sentinels:
                await sentinel.aclose()


def _no_primary(service: str) -> ConnectionError:
    return ConnectionError(f"no Sentinel that answers knows a primary of {service!r}")


def _given(connection: Any, client: Any, sentinel: Any, retry: object) -> Any:
    if connection is None:
        connection = os.environ.get("PENSTOCK_REDIS_URL") or "redis://localhost:6379"
    if not isinstance(connection, str):
        return connection
    try:
        url = SentinelURL.parse(connection)
        if url is None:
            return client.from_url(connection)
    except ValueError as error:
        # What redis-py says may hold the half of a password that has a "/" in it.
        raise ConfigurationError(
            f"{redacted(connection)!r} is not the URL of a Redis server, which is redis://, "
            "rediss://, unix://, or redis+sentinel://host1:26379,host2:26379/service/0; write what "
            "is no letter or digit in a user or a password as %2F."
        ) from error
    of_sentinels = url.sentinel_options | {
        "retry": retry,
        "socket_timeout": SENTINEL_TIMEOUT,
        "socket_connect_timeout": SENTINEL_TIMEOUT,
    }
    asked = sentinel(url.hosts, sentinel_kwargs=of_sentinels, **url.options)
    return asked.master_for(url.service, redis_class=client)


def _settings(pool: Any, retry: object, timeout: float = TIMEOUT) -> dict[str, Any]:
    # What redis-py ties to one pool stays with it; RESP 2 is what a subscription speaks.
    bound = ("maint_", "orig_", "oss_", "himport_", "connection_pool", "retry")
    settings = {
        name: value for name, value in pool.connection_kwargs.items() if not name.startswith(bound)
    }
    if isinstance(pool, SentinelConnectionPool | AsyncSentinelConnectionPool):
        asked: Any = getattr(pool, "proxy", pool)  # who knows it, in sync and in asyncio
        settings |= {
            "service_name": asked.service_name,
            "sentinel_manager": asked.sentinel_manager,
            "is_master": asked.is_master,
            "check_connection": asked.check_connection,
        }
    return _driver(settings) | {
        "connection_class": pool.connection_class,
        "decode_responses": False,
        "encoding": "utf-8",
        "health_check_interval": 0,
        "max_connections": MOST,
        "protocol": 2,
        "retry": retry,
        "socket_connect_timeout": timeout,
        "socket_timeout": timeout,
    }


def _driver(settings: dict[str, Any]) -> dict[str, Any]:
    """Add what each connection tells Redis of redis-py, which else reads its own files for it."""
    if settings.keys() & {"driver_info", "lib_name", "lib_version"}:
        return settings
    info: Any = getattr(redis, "DriverInfo", None)  # older versions of redis-py have none
    return settings if info is None else {**settings, "driver_info": info()}


def transient(error: Exception) -> bool:
    """Whether the same command may succeed later: no connection, no answer, or not just now."""
    if isinstance(error, _REFUSED):
        return False
    return isinstance(error, _WAIT + _LATER) or refusal(error) in _PASSING


def refusal(error: Exception) -> str:
    """Return the code of Redis's refusal, as `OOM`, also where a script of Redis 6 has met it."""
    for kind, code in _CODES.items():
        if isinstance(error, kind):
            return code
    text = str(error)
    if isinstance(error, AuthenticationError):
        return "WRONGPASS" if text.startswith("invalid") else "NOAUTH"
    found = _CODE.search(text) if isinstance(error, RedisError) else None
    return found[1] if found else ""


class Backoff:
    """How long to wait before the next try: longer each time, at most a second, never in step."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._failures = 0

    def after(self, error: Exception) -> float:
        """Count a failure; the first in a row is logged. Returns the seconds to wait.

        Raises:
            RedisUnavailableError: waiting does not help.
        """
        if not transient(error):
            raise RedisUnavailableError(f"Redis refused {self._what}: {error}") from error
        if self._failures == 0:
            logger.warning("%s: no answer from Redis (%s), trying again", self._what, error)
        self._failures += 1
        return min(1.0, 0.02 * float(2 ** min(self._failures, 6))) * chance.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Forget the failures: Redis answered."""
        self._failures = 0
