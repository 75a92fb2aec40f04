"""Checkpointer of LangGraph graphs that keeps their state in Redis."""

from __future__ import annotations

__all__ = ["PenstockSaver"]

import copy
import math
import uuid
from collections.abc import Collection, Sequence
from functools import cached_property
from typing import TypeVar

from langgraph.checkpoint.serde.base import SerializerProtocol
from redis import Redis
from redis import asyncio as aredis

from penstock.langgraph.allow_list import TypeName, Types
from penstock.langgraph.planned_saver import PlannedSaver
from penstock.langgraph.redis.calls import Plan
from penstock.langgraph.redis.followed import Followed
from penstock.langgraph.redis.growing import KnownLists
from penstock.langgraph.redis.refusals import Refusals
from penstock.langgraph.redis.storage import Storage
from penstock.langgraph.saver_plans import SaverPlans
from penstock.langgraph.serde import ClosedSerializer, serializer_for
from penstock.publisher.errors import ConfigurationError
from penstock.runtime.settings import Settings, load_settings
from penstock.runtime.store.connections import Served

T = TypeVar("T")


class PenstockSaver(Served, PlannedSaver):
    """Checkpointer in Redis: `builder.compile(checkpointer=PenstockSaver(url))`.

    Its methods are for sync code, their `a` twins for asyncio. `types` are the classes of your own
    that the state may hold, "any" for all; `serde` is a serializer in place of LangGraph's form. If
    there are encryption keys in the settings, values, writes and metadata are sealed with them.
    `ttl` are the seconds that a thread is kept after its last write, and up to a tenth of them
    more; without it, until it is deleted; what workers execute is kept as the settings say. Safe
    to share between threads and loops; async code ends its connections with `aclose()`.
    """

    def __init__(
        self,
        connection: Redis | aredis.Redis | str | None = None,
        *,
        types: Types = (),
        serde: SerializerProtocol | None = None,
        settings: Settings | None = None,
        ttl: float | None = None,
    ) -> None:
        """Take a URL or a client of either kind; without one, the Redis of the settings.

        Raises:
            ConfigurationError: both types and serde, a class that cannot be read again, or a `ttl`
                that is not a number of seconds greater than 0.
        """
        super().__init__(serde=serializer_for(types, serde))
        self._ttl = _checked_ttl(ttl)
        self._settings = settings
        self._connections = Followed(lambda: connection or self.settings.redis)
        self._lists = KnownLists()
        self._refusals = Refusals()

    @cached_property
    def settings(self) -> Settings:
        """The settings: those given, else this process's."""
        return self._settings or load_settings()

    @cached_property
    def _plans(self) -> SaverPlans:
        storage = Storage.of(
            self.settings,
            self.serde,
            lists=self._lists,
            refusals=self._refusals,
            grows=isinstance(self.serde, ClosedSerializer),
            ttl=self._ttl,
        )
        return SaverPlans(storage)

    def _planner(self) -> SaverPlans:
        return self._plans

    def _read(self, plan: Plan[T]) -> T:
        return self._connections.follow(plan)

    async def _aread(self, plan: Plan[T]) -> T:
        return await self._connections.afollow(plan)

    def with_allowlist(self, extra_allowlist: Collection[TypeName]) -> PenstockSaver:
        """Return a saver over the same connections that takes other types too."""
        if not isinstance(self.serde, ClosedSerializer):
            return self
        clone = copy.copy(self)
        clone.__dict__.pop("_plans", None)
        clone.serde = self.serde.with_more(extra_allowlist)
        return clone

    # -- threads --------------------------------------------------------------------------------

    def delete_thread(self, thread_id: str) -> None:
        """Delete a thread, with the checkpoints of its subgraphs."""
        self._connections.follow(self._plans.delete_thread(thread_id))

    async def adelete_thread(self, thread_id: str) -> None:
        """As `delete_thread`, on the running loop."""
        await self._connections.afollow(self._plans.delete_thread(thread_id))

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete the checkpoints whose metadata have one of these as `run_id`, in all threads."""
        self._connections.follow(self._plans.delete_for_runs(run_ids))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """As `delete_for_runs`, on the running loop."""
        await self._connections.afollow(self._plans.delete_for_runs(run_ids))

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Give a thread that has no state yet all that another one has.

        Raises:
            ConfigurationError: it has a state.
        """
        nonce = uuid.uuid4().hex
        plan = self._plans.copy_thread(source_thread_id, target_thread_id, nonce)
        self._connections.follow(plan)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """As `copy_thread`, on the running loop."""
        nonce = uuid.uuid4().hex
        plan = self._plans.copy_thread(source_thread_id, target_thread_id, nonce)
        await self._connections.afollow(plan)

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Delete all checkpoints of threads but for the newest of each namespace.

        Those that a delta channel needs for its value stay, too; with strategy "delete" none stay.
        Of a thread on which a run of a worker is open, or that is written to meanwhile, more stay.

        Raises:
            ConfigurationError: there is no such strategy.
        """
        self._connections.follow(self._plans.prune(thread_ids, strategy))

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """As `prune`, on the running loop."""
        await self._connections.afollow(self._plans.prune(thread_ids, strategy))

    # -- the end --------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the connection of sync code."""
        self._connections.close()

    async def aclose(self) -> None:
        """Close the connections of the running loop, and that of sync code."""
        await self._connections.aclose()


def _checked_ttl(ttl: float | None) -> float | None:
    if ttl is not None and not 0 < ttl < math.inf:
        raise ConfigurationError(f"ttl is a number of seconds greater than 0, not {ttl!r}.")
    return ttl
