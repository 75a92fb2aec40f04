"""Entrypoints that hold the checkpointer of their own run against LangGraph's conformance suite."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.checkpoint.conformance import validate
from langgraph.checkpoint.conformance.initializer import RegisteredCheckpointer

from penstock.langgraph.hosting.hosted_graph import MODES, HostedGraph
from penstock.langgraph.hosting.run_saver import RunSaver
from penstock.langgraph.hosting.teller import Teller
from penstock.langgraph.redis.keys import Space
from penstock.langgraph.serde import serializer_for
from penstock.runtime.executor.hosted import HostedRun
from penstock.runtime.journal.result import Result
from tests.langgraph import graphs
from tests.langgraph.sync_methods import SyncMethods


class OwnThread(RunSaver):
    """Takes each thread that it is asked about for that of its run, which goes by the teller."""

    def _take(self, config: RunnableConfig | None) -> None:
        if config is not None:
            self._root = Space(str(config.get("configurable", {})["thread_id"]))

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        self._take(config)
        return await super().aput(config, checkpoint, metadata, new_versions)

    def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> Coroutine[Any, Any, None]:
        self._take(config)
        return super().aput_writes(config, writes, task_id, task_path)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        self._take(config)
        return await super().aget_tuple(config)


class SyncRunSaver(SyncMethods, RunSaver):
    """Is asked as sync nodes ask it."""


class Suite(HostedGraph):
    """Returns what LangGraph's suite says of a checkpointer of this attempt, by capability."""

    def __init__(self, name: str, kind: type[RunSaver]) -> None:
        super().__init__(graphs.agent(None), name=name)
        self._kind = kind

    async def run(self, run: HostedRun) -> Result:
        journal, thread_id = run.journal, run.attempt.assignment.thread_id
        later = asyncio.get_running_loop().call_soon_threadsafe
        serde = serializer_for((), None)

        async def saver() -> AsyncGenerator[BaseCheckpointSaver[Any]]:
            teller = Teller(run.attempt, journal, MODES, later)
            yield self._kind(journal, thread_id, run.settings, serde, teller)

        report = await validate(RegisteredCheckpointer(self.name, saver))
        found = {
            name: {"is_there": each.detected, "failures": each.failures}
            for name, each in report.results.items()
        }
        return Result("completed", value=found)


other_threads = Suite("other_threads", RunSaver)
own_thread = Suite("own_thread", OwnThread)
sync_nodes = Suite("sync_nodes", SyncRunSaver)
