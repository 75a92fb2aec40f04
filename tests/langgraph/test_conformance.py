"""LangGraph's published conformance suite, over the async methods and over the sync ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.checkpoint.conformance import validate
from langgraph.checkpoint.conformance.capabilities import Capability
from langgraph.checkpoint.conformance.initializer import RegisteredCheckpointer

from penstock.langgraph import PenstockSaver
from penstock.runtime.settings import Settings
from tests.langgraph.keys import ENCRYPTION_KEYS


class SyncSaver(PenstockSaver):
    """Asks the sync methods for what the async ones are asked for."""

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        return self.put(config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        self.put_writes(config, writes, task_id, task_path)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return self.get_tuple(config)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        for each in self.list(config, filter=filter, before=before, limit=limit):
            yield each

    async def adelete_thread(self, thread_id: str) -> None:
        self.delete_thread(thread_id)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        self.delete_for_runs(run_ids)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        self.copy_thread(source_thread_id, target_thread_id)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        self.prune(thread_ids, strategy=strategy)


@pytest.mark.parametrize("kind", [PenstockSaver, SyncSaver])
@pytest.mark.parametrize("keys", ["", ENCRYPTION_KEYS], ids=["plain", "encrypted"])
def test_all_capabilities_pass(redis_url: str, kind: type[PenstockSaver], keys: str) -> None:
    async def saver() -> AsyncGenerator[BaseCheckpointSaver[Any]]:
        async with kind(redis_url, settings=Settings(encryption_keys=keys)) as each:
            yield each

    report = asyncio.run(validate(RegisteredCheckpointer("penstock", saver)))

    assert {
        name: result.failures for name, result in report.results.items() if result.failures
    } == {}
    assert {name for name, result in report.results.items() if result.passed} == {
        capability.value for capability in Capability
    }
