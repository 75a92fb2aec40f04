"""Time that passes at once: everything in Redis that has a deadline comes nearer to it."""

from __future__ import annotations

__all__ = ["pass_time"]

from collections.abc import Iterator
from typing import Any, Final

from redis import Redis

from penstock.runtime.journal.checkpoint_names import TIMER
from penstock.runtime.redis.keys import Keys
from penstock.runtime.store.keys import StoreKeys

_WAKES: Final = "wakes"


def pass_time(connection: Redis, prefix: str, seconds: float) -> None:
    """Bring all leases, timers and expiries of a server `seconds` nearer, as if they had passed.

    The server's own clock is left alone: times that are already written down stay what they are.
    """
    keys, ms = Keys(prefix), round(seconds * 1000)
    for name in _sets_of_deadlines(connection, keys, StoreKeys(prefix)):
        for member, score in _members(connection, name):
            connection.zadd(name, {member: score - ms})
    for name in _names(connection, keys.checkpoints("*")):
        _bring_nearer(connection, name, TIMER, ms)
    for name in _names(connection, keys.run("*")):
        _bring_nearer(connection, name, _WAKES, ms)
    for name in _names(connection, "*"):
        left = _left(connection, name)
        if left >= 0:
            connection.pexpire(name, max(left - ms, 0))


def _names(connection: Redis, pattern: str) -> Iterator[bytes]:
    client: Any = connection
    yield from list(client.scan_iter(pattern, count=1000))


def _sets_of_deadlines(connection: Redis, keys: Keys, store: StoreKeys) -> Iterator[str | bytes]:
    yield from (keys.leases, keys.timers, keys.ready, keys.entrypoints, store.expiries)
    yield from _names(connection, store.expiry("*"))


def _members(connection: Redis, name: str | bytes) -> list[tuple[bytes, float]]:
    found: Any = connection.zrange(name, 0, -1, withscores=True)
    return [(member, float(score)) for member, score in found]


def _bring_nearer(connection: Redis, name: str | bytes, fields: str, ms: int) -> None:
    found: Any = connection.hgetall(name)
    for field, text in found.items():
        if field.decode("utf-8", "replace").startswith(fields) and text.isdigit():
            connection.hset(name, field, str(int(text) - ms))


def _left(connection: Redis, name: str | bytes) -> int:
    left: Any = connection.pttl(name)
    return int(left)
