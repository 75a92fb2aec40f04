"""All that a Redis holds, as bytes, to look for what must not be there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import redis


def contents(client: redis.Redis) -> dict[bytes, bytes]:
    """The bytes of every value, with the names of its members, by key."""
    keys = cast("Iterator[bytes]", client.scan_iter(count=1000))
    return {key: b"\n".join(_parts(_value(client, key))) for key in keys}


def leaks(client: redis.Redis, secret: str) -> list[bytes]:
    """The keys whose name or value holds a text."""
    wanted = secret.encode()
    return sorted(key for key, value in contents(client).items() if wanted in key + b"\n" + value)


def _value(client: redis.Redis, key: bytes) -> Any:
    match cast(bytes, client.type(key)):
        case b"string":
            return client.get(key)
        case b"hash":
            return client.hgetall(key)
        case b"list":
            return client.lrange(key, 0, -1)
        case b"set":
            return client.smembers(key)
        case b"zset":
            return client.zrange(key, 0, -1)
        case b"stream":  # results of RQ's ordinary jobs
            return client.xrange(key)
        case b"none":  # gone meanwhile
            return b""
        case other:
            raise AssertionError(f"{key!r} is a {other!r}, which nobody looks into")


def _parts(value: Any) -> Iterator[bytes]:
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, dict):
        for pair in cast("dict[object, object]", value).items():
            yield from _parts(pair)
    elif isinstance(value, (list, tuple, set)):
        for item in cast("list[Any]", value):
            yield from _parts(item)
