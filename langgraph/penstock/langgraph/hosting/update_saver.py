"""Checkpointer of an update: it stores on a thread that no run is at work on."""

from __future__ import annotations

__all__ = ["UpdateSaver"]

import asyncio
from collections.abc import Mapping
from typing import Any, TypeVar

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.serde.base import SerializerProtocol

from penstock.langgraph.planned_saver import PlannedSaver
from penstock.langgraph.redis.calls import Plan, Puts, Request
from penstock.langgraph.redis.keys import Space
from penstock.langgraph.redis.snapshot import Snapshot
from penstock.langgraph.redis.storage import Storage
from penstock.langgraph.saver_plans import SaverPlans
from penstock.langgraph.serde import ClosedSerializer
from penstock.publisher.plan import follow
from penstock.runtime.redis.journal.journal import RedisJournal
from penstock.runtime.settings import Settings

T = TypeVar("T")


class UpdateSaver(PlannedSaver):
    """Stores as a `PenstockSaver` does, over the connection of the worker."""

    def __init__(
        self, journal: RedisJournal, settings: Settings, serde: SerializerProtocol
    ) -> None:
        super().__init__(serde=serde)
        self.made: list[RunnableConfig] = []
        """The configs of the checkpoints that it has stored, or has found, which are to be told."""
        self._journal = journal
        grows = isinstance(serde, ClosedSerializer)
        self._plans = SaverPlans(Storage.of(settings, serde, grows=grows))

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """As `put`, on the running loop."""
        made = await super().aput(config, checkpoint, metadata, new_versions)
        self.made.append(made)
        return made

    async def afind(self, space: Space) -> None:
        """Find the checkpoints that an update has stored whose process died before it told them."""
        self.made = await self._aread(self._plans.untold(space))

    async def atell(
        self, space: Space, point_id: str, told: Snapshot, applied: Mapping[str, Any]
    ) -> None:
        """Store what readers without the graph see of a checkpoint."""
        await self._aread(self._plans.tell(space, point_id, told, applied))

    def _planner(self) -> SaverPlans:
        return self._plans

    def _read(self, plan: Plan[T]) -> T:
        return follow(plan, self._ask)

    async def _aread(self, plan: Plan[T]) -> T:
        return await asyncio.to_thread(self._read, plan)

    def _ask(self, request: Request) -> Any:
        assert not isinstance(request, Puts)
        return self._journal.read(request)
