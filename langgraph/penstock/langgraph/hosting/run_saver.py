"""Checkpointer of a graph in an attempt of a run: all it stores goes through the run's journal."""

from __future__ import annotations

__all__ = ["RunSaver"]

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Final, TypeVar

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

from penstock.langgraph.hosting.records import LEG, NULL_WRITES, POINT
from penstock.langgraph.hosting.teller import Teller
from penstock.langgraph.planned_saver import PlannedSaver
from penstock.langgraph.redis.calls import Plan, Puts, Request
from penstock.langgraph.redis.channels import NULL_TASK
from penstock.langgraph.redis.journal_calls import JournalCalls
from penstock.langgraph.redis.keys import (
    GraphKeys,
    Space,
    space_of,
)
from penstock.langgraph.redis.plans import reading, threads
from penstock.langgraph.redis.plans.writing import applied_record
from penstock.langgraph.redis.storage import Storage
from penstock.langgraph.saver_plans import SaverPlans
from penstock.langgraph.serde import ClosedSerializer
from penstock.publisher.plan import follow
from penstock.runtime.journal.graph_host import GraphHost
from penstock.runtime.redis.journal.journal import RedisJournal
from penstock.runtime.settings import Settings

T = TypeVar("T")

FIRST_STEP: Final = -1
"""The superstep that the first call of a thread begins at."""


class RunSaver(PlannedSaver):
    """Checkpointer of one attempt; stores under its lease, in the order in which it is told.

    What it is told is stored soon, and together with the events of the attempt; with durability
    "sync" a checkpoint is stored before `aput` returns. It reads what a `PenstockSaver` would. Good
    in any thread: a node may call a subgraph by `invoke`.
    """

    def __init__(
        self,
        journal: RedisJournal,
        thread_id: str,
        settings: Settings,
        serde: SerializerProtocol,
        teller: Teller,
        *,
        name: str = "",
    ) -> None:
        """Take a thread's id, and the name of the graph that is executed on it."""
        super().__init__(serde=serde)
        self._journal = journal
        self._teller = teller
        self._root = Space(thread_id)
        host = GraphHost(name, journal.queue)
        self._calls = calls = JournalCalls(GraphKeys(settings.prefix), host)
        teller.store_snapshots(
            lambda namespace, point_id, told: calls.snapshot(
                space_of(thread_id, namespace), point_id, told
            )
        )
        grows = isinstance(serde, ClosedSerializer)
        self._storage = Storage.of(settings, serde, calls=calls, grows=grows)
        self._plans = SaverPlans(self._storage)
        self._history = settings.history
        self._step = 0
        """The superstep of the newest point of the graph itself."""
        self._leg: str | None = None
        self._entered: int | None = None

    # -- what is stored -------------------------------------------------------------------------

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
            LeaseLostError: another attempt owns the run.
        """
        stored = self._put(config, checkpoint, metadata, new_versions)
        if self._journal.durability == "sync":
            self._journal.flush()
        return stored

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """As `put`, on the running loop."""
        stored = self._put(config, checkpoint, metadata, new_versions)
        if self._journal.durability == "sync":
            await self._journal.aflush()
        return stored

    def _put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        if not _namespace(config):
            self._step = metadata.get("step", 0)
        return self._store(self._plans.put(config, checkpoint, metadata, new_versions))

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
            LeaseLostError: another attempt owns the run.
        """
        plan = self._plans.put_writes(config, writes, task_id, task_path)
        self._store(plan, task_id, is_sync=True)

    def aput_writes(  # pyright: ignore[reportIncompatibleMethodOverride] - it is awaited alike
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> Coroutine[Any, Any, None]:
        """As `put_writes`, at the call already: what it returns has nothing left to do.

        LangGraph starts it in the background, where it would wait behind the nodes that a
        `max_concurrency` keeps back.
        """
        try:
            self._store(self._plans.put_writes(config, writes, task_id, task_path), task_id)
        except Exception as error:
            return _raised(error)
        return _done()

    def _store(self, plan: Plan[T], task_id: str = "", *, is_sync: bool = False) -> T:
        def take(request: Request) -> Any:
            assert isinstance(request, Puts)
            space, point_id = request.space, request.point_id
            marks = self._marks(request, task_id)
            if space.thread_id != self._root.thread_id:  # of another thread nothing is told
                self._journal.put(request.puts, marks)
            elif request.is_point:
                self._teller.point(space.namespace, point_id, request.puts, marks)
            else:
                place = space.namespace
                self._teller.writes(place, task_id, request.puts, marks, is_sync=is_sync)
            self._calls.take(request)  # from now on: other threads store writes meanwhile
            return ()

        return follow(plan, take)

    def put_applied(self, found: CheckpointTuple, values: Mapping[str, Any]) -> None:
        """Store values of a point with its pending writes; nothing if there is no form for one."""
        configurable = found.config.get("configurable", {})
        space = Space(self._root.thread_id, configurable.get("checkpoint_ns") or "")
        point_id = found.checkpoint["id"]
        record = applied_record(self._storage, space, point_id, values)
        if record is not None:
            self._journal.put([self._calls.applied(space, point_id, record)], {})

    def step_id(self, path: str) -> str | None:
        """Return the stable id of a task, of its checkpoint namespace; None if it is hidden."""
        return self._teller.step_id(path)

    def count_supersteps(self, leg: str, entered: int | None) -> None:
        """Record with each point how far a part of the run is, which began at some step if known.

        Else it begins with the step that the graph is called at.
        """
        self._leg, self._entered = leg, entered

    def _marks(self, request: Puts, task_id: str) -> Mapping[str, str]:
        """Return the checkpoints that say how far the run's graph is."""
        if request.space != self._root:
            return {}
        if request.is_point and self._leg is not None:
            entered = self._entered if self._entered is not None else FIRST_STEP
            return {POINT: request.point_id, LEG: f"{self._leg} {entered} {self._step}"}
        if request.is_point:
            return {POINT: request.point_id}
        return {NULL_WRITES: request.point_id} if task_id == NULL_TASK else {}

    # -- what is read ---------------------------------------------------------------------------

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return the checkpoint that a config names, or the newest of its thread and namespace."""
        self._teller.settle(_namespace(config))
        return self._noted(config, self._flushed(self._plans.get_tuple(config)))

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """As `get_tuple`, on the running loop."""
        self._teller.settle(_namespace(config))
        return self._noted(config, await self._aflushed(self._plans.get_tuple(config)))

    async def atasks(self) -> tuple[str, Sequence[str]]:
        """Return the newest point of the graph itself, and the nodes that it leads to."""
        point_id, told = await self._aread(reading.newest_snapshot(self._storage, self._root))
        return point_id, [task.name for task in told.tasks]

    async def anamespaces(self) -> Sequence[str]:
        """Return the checkpoint namespaces that the run's thread has, sorted."""
        spaces = await self._aread(reading.spaces_of(self._storage, self._root.thread_id))
        return [space.namespace for space in spaces]

    async def aprune_history(self) -> None:
        """Delete the oldest points of the thread if it has a tenth more than are kept."""
        count = self._history
        most = count + count // 10
        if 0 < count and most < self._step + 2:  # else it cannot have so many
            thread_id = self._root.thread_id
            await self._aread(threads.keep_newest(self._storage, thread_id, count, most=most))

    def _planner(self) -> SaverPlans:
        return self._plans

    def _read(self, plan: Plan[T]) -> T:
        self._teller.settle()
        return self._flushed(plan)

    async def _aread(self, plan: Plan[T]) -> T:
        self._teller.settle()
        return await self._aflushed(plan)

    def _flushed(self, plan: Plan[T]) -> T:
        """Read after all that the attempt has stored."""
        self._journal.flush()
        return follow(plan, self._ask)

    async def _aflushed(self, plan: Plan[T]) -> T:
        await self._journal.aflush()
        return await asyncio.to_thread(follow, plan, self._ask)

    def _ask(self, request: Request) -> Any:
        assert not isinstance(request, Puts)
        return self._journal.read(request)

    def _noted(
        self, config: RunnableConfig, found: CheckpointTuple | None
    ) -> CheckpointTuple | None:
        asked = config.get("configurable", {})
        if asked["thread_id"] == self._root.thread_id:
            self._teller.begins(_namespace(config), found)
            if self._entered is None and not _namespace(config) and found is not None:
                self._entered = found.metadata.get("step", -2) + 1
        if found is not None:
            configurable = found.config.get("configurable", {})
            space = Space(configurable["thread_id"], configurable["checkpoint_ns"])
            self._calls.note(space, configurable["checkpoint_id"])
        return found


def _namespace(config: RunnableConfig) -> str:
    return str(config.get("configurable", {}).get("checkpoint_ns") or "")


async def _done() -> None:
    """Do nothing: it is done."""


async def _raised(error: Exception) -> None:
    raise error
