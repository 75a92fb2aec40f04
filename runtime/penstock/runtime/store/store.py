"""The methods of every store: a few verbs, all made of one `batch`."""

from __future__ import annotations

__all__ = ["BaseStore"]

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal, cast

from penstock.runtime.store.item import (
    NOT_PROVIDED,
    GetOp,
    Item,
    ListNamespacesOp,
    MatchCondition,
    Namespace,
    NotProvided,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
    as_namespace,
)
from penstock.runtime.store.namespace import check_namespace
from penstock.runtime.store.ttl import Lifetime, TTLConfig, minutes
from penstock.runtime.types.labels import Labels


class BaseStore(ABC):
    """Keeps values over threads and runs, by namespace and key.

    Subclasses have `batch` and `abatch`; the `a` twins are for asyncio code.
    """

    supports_ttl: ClassVar[bool] = False
    ttl_config: TTLConfig | None = None

    @abstractmethod
    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Execute ops, and return a result for each, None for puts.

        Reads see the state before the batch; of several puts on one key the last wins.
        """

    @abstractmethod
    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """As `batch`, on the running loop."""

    def get(self, namespace: Labels, key: str, *, refresh_ttl: bool | None = None) -> Item | None:
        """Return an item, None if there is none."""
        return cast("Item | None", self.batch([self._get(namespace, key, refresh_ttl)])[0])

    async def aget(
        self, namespace: Labels, key: str, *, refresh_ttl: bool | None = None
    ) -> Item | None:
        """As `get`, on the running loop."""
        return cast("Item | None", await self._ask_one(self._get(namespace, key, refresh_ttl)))

    def put(
        self,
        namespace: Labels,
        key: str,
        value: dict[str, Any] | None,
        index: Literal[False] | list[str] | None = None,
        *,
        ttl: float | NotProvided | None = NOT_PROVIDED,
    ) -> None:
        """Store a value in place of the old one; None deletes.

        `index` has the paths of the texts to search by (None: the store's, False: none); `ttl` is
        in minutes, None for forever.

        Raises:
            InvalidNamespaceError: nothing can be put in this namespace.
            NotImplementedError: a `ttl`, and the store has none.
        """
        self.batch([self._put(namespace, key, value, index, ttl)])

    async def aput(
        self,
        namespace: Labels,
        key: str,
        value: dict[str, Any] | None,
        index: Literal[False] | list[str] | None = None,
        *,
        ttl: float | NotProvided | None = NOT_PROVIDED,
    ) -> None:
        """As `put`, on the running loop."""
        await self._ask_one(self._put(namespace, key, value, index, ttl))

    def delete(self, namespace: Labels, key: str) -> None:
        """Delete an item, if there is one."""
        self.batch([PutOp(as_namespace(namespace), key, None)])

    async def adelete(self, namespace: Labels, key: str) -> None:
        """As `delete`, on the running loop."""
        await self._ask_one(PutOp(as_namespace(namespace), key, None))

    def search(
        self,
        namespace_prefix: Labels,
        /,
        *,
        query: str | None = None,
        filter: Mapping[str, Any] | None = None,
        limit: int = 10,
        offset: int = 0,
        refresh_ttl: bool | None = None,
    ) -> list[SearchItem]:
        """Return items of the namespaces under a prefix, `()` for all, that meet a filter.

        With a query, in a store with an index: the most similar first, those without vectors at
        the end. Else by namespace, and the oldest first.

        Raises:
            ValueError: the filter has an operator that is not known.
        """
        refresh = self._refresh(refresh_ttl)
        op = SearchOp(as_namespace(namespace_prefix), filter, limit, offset, query, refresh)
        return cast("list[SearchItem]", self.batch([op])[0])

    async def asearch(
        self,
        namespace_prefix: Labels,
        /,
        *,
        query: str | None = None,
        filter: Mapping[str, Any] | None = None,
        limit: int = 10,
        offset: int = 0,
        refresh_ttl: bool | None = None,
    ) -> list[SearchItem]:
        """As `search`, on the running loop."""
        refresh = self._refresh(refresh_ttl)
        op = SearchOp(as_namespace(namespace_prefix), filter, limit, offset, query, refresh)
        return cast("list[SearchItem]", await self._ask_one(op))

    def list_namespaces(
        self,
        *,
        prefix: Labels | None = None,
        suffix: Labels | None = None,
        max_depth: int | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> list[Namespace]:
        """Return the namespaces that have items, sorted; "*" in prefix and suffix is any label.

        `max_depth` cuts them to so many labels and gives each once.
        """
        op = ListNamespacesOp(_conditions(prefix, suffix), max_depth, limit, offset)
        return cast("list[Namespace]", self.batch([op])[0])

    async def alist_namespaces(
        self,
        *,
        prefix: Labels | None = None,
        suffix: Labels | None = None,
        max_depth: int | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> list[Namespace]:
        """As `list_namespaces`, on the running loop."""
        op = ListNamespacesOp(_conditions(prefix, suffix), max_depth, limit, offset)
        return cast("list[Namespace]", await self._ask_one(op))

    async def _ask_one(self, op: Op) -> Result:
        return (await self.abatch([op]))[0]

    def _get(self, namespace: Labels, key: str, refresh_ttl: bool | None) -> GetOp:
        return GetOp(as_namespace(namespace), key, self._refresh(refresh_ttl))

    def _put(
        self,
        namespace: Labels,
        key: str,
        value: dict[str, Any] | None,
        index: Literal[False] | list[str] | None,
        ttl: float | NotProvided | None,
    ) -> PutOp:
        namespace = as_namespace(namespace)
        check_namespace(namespace)
        if isinstance(ttl, NotProvided):
            ttl = Lifetime.of(self.ttl_config).default_ttl
        elif ttl is not None and not self.supports_ttl:
            raise NotImplementedError(
                f"{type(self).__name__} has no TTL: leave ttl out, or use a store that has."
            )
        return PutOp(namespace, key, value, index, minutes(ttl))

    def _refresh(self, given: bool | None) -> bool:
        return Lifetime.of(self.ttl_config).refresh_on_read if given is None else given


def _conditions(prefix: Labels | None, suffix: Labels | None) -> tuple[MatchCondition, ...]:
    conditions: list[MatchCondition] = []
    if prefix:
        conditions.append(MatchCondition("prefix", as_namespace(prefix)))
    if suffix:
        conditions.append(MatchCondition("suffix", as_namespace(suffix)))
    return tuple(conditions)
