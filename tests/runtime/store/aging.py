"""Lets time pass for the items of a store, without waiting."""

from __future__ import annotations

from typing import Any, cast

from penstock.runtime.store.redis import RedisStore


def age(store: RedisStore, minutes: float) -> None:
    """Make all TTLs shorter, as if minutes had passed."""
    connection = cast(Any, store.connection)
    prefix = f"{store.settings.prefix}:store"
    for key in [f"{prefix}:expiries", *connection.scan_iter(match=f"{prefix}:expiry:*")]:
        for member in connection.zrange(key, 0, -1):
            connection.zincrby(key, -minutes * 60_000, member)


def keys_of(store: RedisStore) -> list[str]:
    """The keys that a store has in Redis, without those that remember writes."""
    found = [key.decode() for key in cast(Any, store.connection).scan_iter(match="*:store:*")]
    return sorted(key for key in found if ":store:done:" not in key)
