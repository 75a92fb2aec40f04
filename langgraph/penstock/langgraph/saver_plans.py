"""What LangGraph asks of a checkpointer, in its words, as plans without IO."""

from __future__ import annotations

__all__ = ["SaverPlans", "TupleListing"]

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    EXCLUDED_METADATA_KEYS,
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
)

from penstock.langgraph.redis.calls import Plan
from penstock.langgraph.redis.keys import Space, space_of
from penstock.langgraph.redis.plans import reading, threads, writing
from penstock.langgraph.redis.plans.all_threads import AllThreads
from penstock.langgraph.redis.point import Lineage, Point, Write
from penstock.langgraph.redis.snapshot import Snapshot
from penstock.langgraph.redis.storage import Storage
from penstock.publisher.errors import ConfigurationError
from penstock.runtime.types.state import checkpoint_config

_NODE: Final = re.compile(r"~__pregel_pull, (.+)")
"""The path of a task that an edge has started."""

STRATEGIES: Final = ("keep_latest", "delete")


class SaverPlans:
    """The plans of one saver."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> Plan[RunnableConfig]:
        """Store a checkpoint; returns the config that finds it."""
        space = _space(config)
        point = Point(
            space,
            checkpoint["id"],
            parent=_point_id(config),
            checkpoint=dict(checkpoint),
            metadata=_metadata(config, metadata),
        )
        yield from writing.put(self._storage, point, new_versions)
        return _config(space, point.id)

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str,
    ) -> Plan[None]:
        """Store what a task gave to channels."""
        node = _NODE.fullmatch(task_path)
        what = f"node {node[1]!r}" if node else "a task"
        given = [
            Write(task_id, channel, value, task_path, WRITES_IDX_MAP.get(channel, place))
            for place, (channel, value) in enumerate(writes)
        ]
        return writing.put_writes(self._storage, _space(config), _point_id(config), given, what)

    def tell(
        self, space: Space, point_id: str, told: Snapshot, applied: Mapping[str, Any]
    ) -> Plan[None]:
        """Store what readers without the graph see of a point."""
        return writing.tell(self._storage, space, point_id, told, applied)

    def untold(self, space: Space) -> Plan[list[RunnableConfig]]:
        """Return the configs of the newest checkpoints that readers without the graph see bare."""
        ids = yield from reading.untold(self._storage, space)
        return [_config(space, point_id) for point_id in ids]

    def get_tuple(self, config: RunnableConfig) -> Plan[CheckpointTuple | None]:
        """Return the checkpoint that a config names, or the newest."""
        space, point_id = _space(config), _point_id(config)
        if point_id:
            point = yield from reading.point(self._storage, space, point_id)
        else:
            point = yield from reading.newest(self._storage, space)
        return None if point is None else _tuple(point)

    def listing(
        self,
        config: RunnableConfig | None,
        filter: Mapping[str, Any] | None,
        before: RunnableConfig | None,
        limit: int | None,
    ) -> TupleListing:
        """Return what reads checkpoints page by page."""
        return TupleListing(self._storage, config, filter or {}, before, limit)

    def history(
        self, config: RunnableConfig, channels: Sequence[str]
    ) -> Plan[Mapping[str, DeltaChannelHistory]]:
        """Return what channels got from the ancestors of a checkpoint."""
        if not channels:
            return {}
        found = yield from reading.lineage(
            self._storage, _space(config), _point_id(config), list(channels)
        )
        return {channel: _history(each) for channel, each in found.items()}

    def delete_thread(self, thread_id: str) -> Plan[None]:
        """Delete a thread."""
        return threads.delete(self._storage, str(thread_id))

    def delete_for_runs(self, run_ids: Sequence[str]) -> Plan[None]:
        """Delete the checkpoints that runs have made."""
        return threads.delete_for_runs(self._storage, list(map(str, run_ids)))

    def copy_thread(self, source_id: str, target_id: str, nonce: str) -> Plan[None]:
        """Copy a thread."""
        return threads.copy(self._storage, str(source_id), str(target_id), nonce)

    def prune(self, thread_ids: Sequence[str], strategy: str) -> Plan[None]:
        """Delete old checkpoints of threads, or all."""
        if strategy not in STRATEGIES:
            raise ConfigurationError(
                f"prune has the strategies {' and '.join(STRATEGIES)}, not {strategy!r}."
            )
        way = threads.delete if strategy == "delete" else threads.keep_latest
        for thread_id in thread_ids:
            yield from way(self._storage, str(thread_id))


class TupleListing:
    """Reads the checkpoints that `list` is about: thread by thread, then by namespace and time."""

    def __init__(
        self,
        storage: Storage,
        config: RunnableConfig | None,
        filter: Mapping[str, Any],
        before: RunnableConfig | None,
        limit: int | None,
    ) -> None:
        self._storage = storage
        self._config = config
        self._filter = filter
        self._before = _point_id(before) if before else ""
        self._left = limit
        self._spaces: list[Space] | None = None
        self._threads = AllThreads(storage) if config is None else None
        """All threads, where none is named."""
        self._listing: reading.Listing | None = None

    @property
    def is_over(self) -> bool:
        """Whether there is no further page."""
        is_last = self._threads is None or self._threads.is_over
        return self._left == 0 or (self._spaces == [] and self._listing is None and is_last)

    def page(self) -> Plan[list[CheckpointTuple]]:
        """Return the next checkpoints, which may be none."""
        if self._config is not None and (point_id := _point_id(self._config)):
            return (yield from self._named(_space(self._config), point_id))
        if not self._spaces and self._listing is None:
            self._spaces = yield from self._next_spaces()
        if self._listing is None:
            if not self._spaces:
                return []
            matches = self._matches if self._filter else None
            self._listing = reading.Listing(
                self._storage, self._spaces.pop(0), before=self._before, matches=matches
            )
        found = yield from self._listing.page(self._left)
        if self._listing.is_over:
            self._listing = None
        if self._left is not None:
            self._left -= len(found)
        return [_tuple(each.point) for each in found]

    def _named(self, space: Space, point_id: str) -> Plan[list[CheckpointTuple]]:
        self._left = 0
        point = yield from reading.point(self._storage, space, point_id)
        if point is None or not self._matches(point.metadata):
            return []
        return [] if self._before and point_id >= self._before else [_tuple(point)]

    def _next_spaces(self) -> Plan[list[Space]]:
        """Return the spaces of the thread that is named, or of the next of all."""
        if self._config is None:
            return (yield from self._threads.spaces()) if self._threads else []
        space = _space(self._config)
        if "checkpoint_ns" in self._config.get("configurable", {}):
            return [space]
        return (yield from reading.spaces_of(self._storage, space.thread_id))

    def _matches(self, metadata: Mapping[str, Any]) -> bool:
        return all(metadata.get(name) == value for name, value in self._filter.items())


def _space(config: RunnableConfig) -> Space:
    configurable = config.get("configurable", {})
    if "thread_id" not in configurable:
        raise ConfigurationError(
            "a graph with a checkpointer is called for a thread: give it a config such as "
            '{"configurable": {"thread_id": "7"}}.'
        )
    return space_of(str(configurable["thread_id"]), configurable.get("checkpoint_ns") or "")


def _point_id(config: RunnableConfig) -> str:
    return str(config.get("configurable", {}).get("checkpoint_id") or "")


def _config(space: Space, point_id: str) -> RunnableConfig:
    return cast(RunnableConfig, checkpoint_config(space.thread_id, point_id, space.namespace))


def _metadata(config: RunnableConfig, metadata: CheckpointMetadata) -> dict[str, Any]:
    """Return what is kept: LangGraph's own, and what the caller gave as `metadata`.

    LangGraph's savers also keep each text and number of `configurable`, where API keys are.
    """
    kept = cast("dict[str, Any]", {**metadata})
    configurable = config.get("configurable", {})
    for name, value in config.get("metadata", {}).items():
        is_own = name not in EXCLUDED_METADATA_KEYS and not name.startswith("__")
        if is_own and name not in configurable and isinstance(value, str | int | float):
            kept.setdefault(name, value)
    return kept


def _tuple(point: Point) -> CheckpointTuple:
    space = point.space
    return CheckpointTuple(
        config=_config(space, point.id),
        checkpoint=cast(Checkpoint, point.checkpoint),
        metadata=cast(CheckpointMetadata, point.metadata),
        parent_config=_config(space, point.parent) if point.parent else None,
        pending_writes=[(write.task_id, write.channel, write.value) for write in point.writes],
    )


def _history(lineage: Lineage) -> DeltaChannelHistory:
    writes = [(write.task_id, write.channel, write.value) for write in lineage.writes]
    if lineage.has_value:
        return {"writes": writes, "seed": lineage.value}
    return {"writes": writes}
