"""Caches: in Redis, and in memory."""

from __future__ import annotations

__all__ = ["InMemoryCache", "RedisCache"]

import hashlib
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, cast

from redis import Redis
from redis.exceptions import RedisError

from penstock.publisher.redis.connection import connect
from penstock.runtime.redis.keys import Keys
from penstock.runtime.settings import load_settings
from penstock.runtime.store.item import as_namespace
from penstock.runtime.types.cache import BaseCache, FullKey
from penstock.runtime.types.labels import Labels

logger = logging.getLogger(__name__)


class RedisCache(BaseCache):
    """Values of cached tasks in Redis; while Redis is away there are none, and no error.

    Keys: `<prefix>:cache:<namespace digest>`, a hash of key -> text for values without a TTL, and
    `<prefix>:cache:<namespace digest>:<generation>:<key>` for each with one; the hash's field
    `generation` is what clearing a namespace changes, so that the latter need not be searched for.
    """

    def __init__(self, connection: Redis | str | None = None, *, prefix: str | None = None) -> None:
        self._given = connection
        self._prefix = prefix

    @cached_property
    def _connection(self) -> Redis:
        return connect(self._given or load_settings().redis)

    @cached_property
    def _keys(self) -> Keys:
        return Keys(self._prefix or load_settings().prefix)

    def get(self, keys: Sequence[FullKey]) -> Mapping[FullKey, str]:
        """Return those that are there."""
        found: dict[FullKey, str] = {}
        try:
            for namespace, key in _full(keys):
                text = self._get(namespace, key)
                if text is not None:
                    found[namespace, key] = text.decode("utf-8", "surrogatepass")
        except (RedisError, OSError) as error:
            logger.warning("no cached values, Redis does not answer: %s", error)
        return found

    def _get(self, namespace: tuple[str, ...], key: str) -> bytes | None:
        home = self._home(namespace)
        kept, generation = cast(Any, self._connection.hmget(home, [key, "generation"]))
        if kept is None:
            kept = self._connection.get(self._timed(home, generation, key))
        return cast("bytes | None", kept)

    def set(self, pairs: Mapping[FullKey, tuple[str, float | None]]) -> None:
        """Keep texts, each with its seconds to live."""
        try:
            for (namespace, key), (text, ttl) in pairs.items():
                home, data = self._home(namespace), text.encode("utf-8", "surrogatepass")
                if ttl is None:
                    self._connection.hset(home, key, data)
                    continue
                generation = cast(Any, self._connection.hget(home, "generation"))
                self._connection.set(
                    self._timed(home, generation, key), data, px=max(1, round(ttl * 1000))
                )
        except (RedisError, OSError) as error:
            logger.warning("a value was not cached, Redis does not answer: %s", error)

    def clear(self, namespaces: Sequence[Labels] | None = None) -> None:
        """Forget the given namespaces, or everything."""
        if namespaces is None:
            homes = [*cast(Any, self._connection.scan_iter(self._keys.cached("*"), count=1000))]
            for home in homes:
                self._connection.unlink(home)
            return
        for namespace in namespaces:
            home = self._home(namespace)
            generation = int(cast(Any, self._connection.hget(home, "generation")) or 0)
            with self._connection.pipeline() as pipeline:
                pipeline.unlink(home)
                pipeline.hset(home, "generation", str(generation + 1))
                pipeline.execute()

    def _home(self, namespace: Labels) -> str:
        text = "\0".join(namespace).encode("utf-8", "surrogatepass")
        return self._keys.cached(hashlib.blake2b(text, digest_size=16).hexdigest())

    def _timed(self, home: str, generation: bytes | None, key: str) -> str:
        return f"{home}:{(generation or b'0').decode()}:{key}"


class InMemoryCache(BaseCache):
    """Values of cached tasks in this process."""

    def __init__(self) -> None:
        self._kept: dict[FullKey, tuple[str, float | None]] = {}
        self._lock = threading.Lock()

    def get(self, keys: Sequence[FullKey]) -> Mapping[FullKey, str]:
        """Return those that are there."""
        now = time.monotonic()
        with self._lock:
            there = {key: self._kept[key] for key in _full(keys) if key in self._kept}
            for key in [key for key, (_, end) in there.items() if end is not None and end <= now]:
                del there[key], self._kept[key]
        return {key: text for key, (text, _) in there.items()}

    def set(self, pairs: Mapping[FullKey, tuple[str, float | None]]) -> None:
        """Keep texts, each with its seconds to live."""
        now = time.monotonic()
        with self._lock:
            for key, (text, ttl) in pairs.items():
                self._kept[key] = text, None if ttl is None else now + ttl

    def clear(self, namespaces: Sequence[Labels] | None = None) -> None:
        """Forget the given namespaces, or everything."""
        cleared = None if namespaces is None else {as_namespace(each) for each in namespaces}
        with self._lock:
            for key in list(self._kept):
                if cleared is None or key[0] in cleared:
                    del self._kept[key]


def _full(keys: Sequence[FullKey]) -> list[FullKey]:
    """Return keys of which some may have a list as their namespace."""
    return [(as_namespace(namespace), key) for namespace, key in keys]
