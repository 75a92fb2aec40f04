"""Sync clients made like async ones, and back: the same server, with the same settings."""

from __future__ import annotations

__all__ = ["async_client_for", "sync_client_for"]

from typing import Any

import redis
from redis import asyncio as aredis

from penstock.publisher.errors import ConfigurationError

_NAMES = ("Connection", "SSLConnection", "UnixDomainSocketConnection")
_KEPT = ("host", "port", "path", "db", "username", "password", "credential_provider", "client_name")


def sync_client_for(given: redis.Redis | aredis.Redis | str | None) -> redis.Redis | str | None:
    """Return a client for sync code."""
    if not isinstance(given, aredis.Redis):
        return given
    connection, settings = _settings(given, redis, aredis)
    pool = redis.ConnectionPool(connection_class=connection, **settings)
    return redis.Redis.from_pool(pool)


def async_client_for(given: redis.Redis | aredis.Redis | str | None) -> aredis.Redis | str | None:
    """Return a client for asyncio code."""
    if not isinstance(given, redis.Redis):
        return given
    connection, settings = _settings(given, aredis, redis)
    pool = aredis.ConnectionPool(connection_class=connection, **settings)
    return aredis.Redis.from_pool(pool)


def _settings(given: Any, wanted: Any, had: Any) -> tuple[Any, dict[str, Any]]:
    """Return the class of connection and the settings of a client, for the other kind.

    Raises:
        ConfigurationError: its kind of connection has no counterpart, such as Sentinel's.
    """
    pool = given.connection_pool
    for name in _NAMES:
        if pool.connection_class is getattr(had, name):
            kept = {
                key: value
                for key, value in pool.connection_kwargs.items()
                if key in _KEPT or key.startswith("ssl_")
            }
            return getattr(wanted, name), kept
    raise ConfigurationError(
        f"the store cannot make both a sync and an async client of {given!r}: "
        "give it a URL, or use one kind of methods only."
    )
