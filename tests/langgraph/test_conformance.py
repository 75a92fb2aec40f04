"""LangGraph's published conformance suite, over the async methods and over the sync ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.conformance import validate
from langgraph.checkpoint.conformance.capabilities import Capability
from langgraph.checkpoint.conformance.initializer import RegisteredCheckpointer

from penstock.langgraph import PenstockSaver
from penstock.runtime.settings import Settings
from tests.langgraph.keys import ENCRYPTION_KEYS
from tests.langgraph.sync_methods import SyncMethods


class SyncSaver(SyncMethods, PenstockSaver):
    """Is asked as sync code asks it."""

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
