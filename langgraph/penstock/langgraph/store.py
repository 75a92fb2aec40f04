"""Store of LangGraph graphs that keeps its items in Redis."""

from __future__ import annotations

__all__ = ["PenstockStore"]

from collections.abc import Iterable
from typing import Any, cast

from langgraph.store import base
from redis import Redis
from redis import asyncio as aredis

from penstock.runtime.settings import Settings
from penstock.runtime.store import item as ours
from penstock.runtime.store.connections import Served
from penstock.runtime.store.redis import RedisStore
from penstock.runtime.store.search.embedding import IndexConfig
from penstock.runtime.store.ttl import TTLConfig


class PenstockStore(Served, base.BaseStore):
    """Store in Redis: `builder.compile(store=PenstockStore(url))`.

    It is the store of Penstock's own workflows under LangGraph's names: both see the same items.
    `index` makes them searchable by meaning; TTLs are in minutes. Values are encrypted if there are
    encryption keys in the settings. Safe to share between threads and loops.
    """

    __slots__ = ("_store", "ttl_config")

    supports_ttl = True

    def __init__(
        self,
        connection: Redis | aredis.Redis | str | None = None,
        *,
        index: IndexConfig | base.IndexConfig | None = None,
        ttl: TTLConfig | base.TTLConfig | None = None,
        settings: Settings | None = None,
    ) -> None:
        """Take a URL or a client of either kind; without one, the Redis of the settings.

        Raises:
            ConfigurationError: index or ttl cannot be read.
        """
        self.ttl_config = cast("base.TTLConfig | None", ttl)
        self._store = RedisStore(
            connection,
            index=cast("IndexConfig | None", index),
            ttl=cast("TTLConfig | None", ttl),
            settings=settings,
        )

    def batch(self, ops: Iterable[base.Op]) -> list[base.Result]:
        """Do what ops say, and return a result for each; of several puts on one key the last wins.

        Raises:
            ValueError, TypeError: an op is wrong; nothing was done.
            RedisUnavailableError: Redis does not answer, or refuses.
        """
        return list(map(_result, self._store.batch(map(_op, ops))))

    async def abatch(self, ops: Iterable[base.Op]) -> list[base.Result]:
        """As `batch`, on the running loop."""
        return list(map(_result, await self._store.abatch(map(_op, ops))))

    def sweep_ttl(self) -> int:
        """Remove all items that are over; returns how many that were."""
        return self._store.sweep_ttl()

    def close(self) -> None:
        """Close the connection of sync code."""
        self._store.close()

    async def aclose(self) -> None:
        """Close the connections of the running loop, and that of sync code."""
        await self._store.aclose()


def _op(op: base.Op) -> ours.Op:
    """Return an op of LangGraph's as ours."""
    if isinstance(op, base.GetOp):
        return ours.GetOp(op.namespace, op.key, op.refresh_ttl)
    if isinstance(op, base.PutOp):
        value = None if op.value is None else dict(op.value)
        return ours.PutOp(op.namespace, op.key, value, op.index, op.ttl)
    if isinstance(op, base.SearchOp):
        return ours.SearchOp(
            op.namespace_prefix, op.filter, op.limit, op.offset, op.query, op.refresh_ttl
        )
    conditions = tuple(
        ours.MatchCondition(each.match_type, each.path) for each in op.match_conditions or ()
    )
    return ours.ListNamespacesOp(conditions, op.max_depth, op.limit, op.offset)


def _result(result: ours.Result) -> base.Result:
    """Return a result of ours as LangGraph's."""
    if isinstance(result, ours.Item):
        return _item(result)
    if isinstance(result, list):
        return cast(base.Result, [_found(each) for each in result])
    return result


def _found(each: ours.Item | ours.Namespace) -> Any:
    return _item(each) if isinstance(each, ours.Item) else each


def _item(item: ours.Item) -> base.Item:
    fields: dict[str, Any] = {
        "namespace": item.namespace,
        "key": item.key,
        "value": item.value,
        "created_at": item.created_at,
        "updated_at": item.updated_at,
    }
    if isinstance(item, ours.SearchItem):
        return base.SearchItem(**fields, score=item.score)
    return base.Item(**fields)
