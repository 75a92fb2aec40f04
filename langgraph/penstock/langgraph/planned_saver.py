"""What is alike in all checkpointers that read and store by plans."""

from __future__ import annotations

__all__ = ["PlannedSaver"]

from abc import abstractmethod
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
)

from penstock.langgraph.redis.calls import Plan
from penstock.langgraph.redis.versions import next_version
from penstock.langgraph.saver_plans import SaverPlans

T = TypeVar("T")


class PlannedSaver(BaseCheckpointSaver[str]):
    """Checkpointer that reads and stores by plans; how one is followed is a subclass's own."""

    @abstractmethod
    def _planner(self) -> SaverPlans:
        """Return what makes the plans."""

    @abstractmethod
    def _read(self, plan: Plan[T]) -> T:
        """Follow a plan in sync code."""

    @abstractmethod
    async def _aread(self, plan: Plan[T]) -> T:
        """Follow a plan on the running loop."""

    def get_next_version(self, current: str | None, channel: None) -> str:
        """Return a version above the current one, which no other branch gets."""
        return next_version(current)

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint with the values of its new versions; returns the config that finds it.

        Raises:
            CodecError: a value holds what may not, or cannot, be stored; nothing was stored.
            ThreadBusyError: a run of a worker is at work on the thread; nothing was stored.
            RedisUnavailableError: Redis does not answer, or refuses.
        """
        return self._read(self._planner().put(config, checkpoint, metadata, new_versions))

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """As `put`, on the running loop."""
        return await self._aread(self._planner().put(config, checkpoint, metadata, new_versions))

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Store what a task gave to channels, for the checkpoint that it started from.

        Raises:
            CodecError: a value holds what may not, or cannot, be stored; nothing was stored.
            ThreadBusyError: a run of a worker is at work on the thread; nothing was stored.
            RedisUnavailableError: Redis does not answer, or refuses.
        """
        self._read(self._planner().put_writes(config, writes, task_id, task_path))

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """As `put_writes`, on the running loop."""
        await self._aread(self._planner().put_writes(config, writes, task_id, task_path))

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return the checkpoint that a config names, or the newest of its thread and namespace."""
        return self._read(self._planner().get_tuple(config))

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """As `get_tuple`, on the running loop."""
        return await self._aread(self._planner().get_tuple(config))

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Give the checkpoints of a thread, or of all, whose metadata have what the filter has.

        Thread by thread, in no order of threads, and by namespace, the newest first. The filter is
        applied after reading.
        """
        listing = self._planner().listing(config, filter, before, limit)
        while not listing.is_over:
            yield from self._read(listing.page())

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """As `list`, on the running loop."""
        listing = self._planner().listing(config, filter, before, limit)
        while not listing.is_over:
            for each in await self._aread(listing.page()):
                yield each

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """Return what channels got on the way to a checkpoint, back to a whole value of each."""
        return self._read(self._planner().history(config, channels))

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """As `get_delta_channel_history`, on the running loop."""
        return await self._aread(self._planner().history(config, channels))
