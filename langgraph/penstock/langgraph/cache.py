"""Cache of LangGraph nodes that keeps their writes in Redis."""

from __future__ import annotations

__all__ = ["PenstockCache"]

import asyncio
import base64
import json
import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from langgraph.cache.base import BaseCache, FullKey, Namespace
from langgraph.checkpoint.serde.base import SerializerProtocol
from redis import Redis

from penstock.langgraph.allow_list import Types
from penstock.langgraph.redis.keys import Space
from penstock.langgraph.redis.record import Records
from penstock.langgraph.redis.values import Values
from penstock.langgraph.serde import serializer_for
from penstock.publisher.errors import CodecError
from penstock.runtime.redis.cache import RedisCache
from penstock.runtime.settings import Settings, load_settings

logger = logging.getLogger(__name__)


class PenstockCache(BaseCache[Any]):
    """Cache in Redis: `builder.compile(cache=PenstockCache(url))`; away with Redis, and no error.

    `types` and `serde` are as for `PenstockSaver`. Entries that cannot be read here, as their types
    are not listed or their key is not known, count as not there.
    """

    def __init__(
        self,
        connection: Redis | str | None = None,
        *,
        types: Types = (),
        serde: SerializerProtocol | None = None,
        settings: Settings | None = None,
    ) -> None:
        """Take a URL or a client; without one, the Redis of the settings.

        Raises:
            ConfigurationError: both types and serde, or a class that cannot be read again.
        """
        super().__init__(serde=serializer_for(types, serde))
        self._given = connection
        self._settings = settings

    @cached_property
    def settings(self) -> Settings:
        """The settings: those given, else this process's."""
        return self._settings or load_settings()

    @cached_property
    def _cache(self) -> RedisCache:
        return RedisCache(self._given or self.settings.redis, prefix=self.settings.prefix)

    @cached_property
    def _values(self) -> Values:
        return Values(self.serde, self.settings.value_limit)

    @cached_property
    def _records(self) -> Records:
        return Records.of(self.settings)

    def get(self, keys: Sequence[FullKey]) -> dict[FullKey, Any]:
        """Return those that are there."""
        found: dict[FullKey, Any] = {}
        for full, text in self._cache.get(keys).items():
            try:
                record = base64.b64decode(text, validate=True)
                typed = self._records.read(*_place(full), record)
                found[full] = self._values.loads(typed, f"a cached value of {full[1]!r}")
            except (CodecError, ValueError) as error:
                logger.warning("a cached value is not used: %s", error)
        return found

    def set(self, pairs: Mapping[FullKey, tuple[Any, int | None]]) -> None:
        """Keep values, each with its seconds to live.

        Raises:
            CodecError: one holds what may not, or cannot, be stored; nothing was stored.
        """
        texts: dict[FullKey, tuple[str, float | None]] = {}
        for full, (value, ttl) in pairs.items():
            typed = self._values.dumps(value, f"a value was to be cached as {full[1]!r}")
            record = self._records.write(*_place(full), "", typed)
            texts[full] = base64.b64encode(record).decode(), ttl
        self._cache.set(texts)

    def clear(self, namespaces: Sequence[Namespace] | None = None) -> None:
        """Forget the given namespaces, or everything."""
        self._cache.clear(namespaces)

    async def aget(self, keys: Sequence[FullKey]) -> dict[FullKey, Any]:
        """As `get`; waits in a thread."""
        return await asyncio.to_thread(self.get, keys)

    async def aset(self, pairs: Mapping[FullKey, tuple[Any, int | None]]) -> None:
        """As `set`; waits in a thread."""
        await asyncio.to_thread(self.set, pairs)

    async def aclear(self, namespaces: Sequence[Namespace] | None = None) -> None:
        """As `clear`; waits in a thread."""
        await asyncio.to_thread(self.clear, namespaces)


def _place(full: FullKey) -> tuple[Space, str]:
    """Return what an entry is bound to."""
    return Space("", "cache"), json.dumps(full)
