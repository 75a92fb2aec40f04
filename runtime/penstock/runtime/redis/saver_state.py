"""The threads that a saver keeps: their states, and what can be done with them between runs."""

from __future__ import annotations

__all__ = ["SavedThreads"]

import asyncio
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

from redis import Redis

from penstock.publisher.codec.codec import Codec
from penstock.publisher.plan import follow
from penstock.publisher.redis.connection import connect
from penstock.runtime.redis.plans.copy_thread import copy_thread
from penstock.runtime.redis.plans.requests import Plan, Request, RequestPlans
from penstock.runtime.redis.plans.threads import ThreadPlans
from penstock.runtime.redis.transport import ask
from penstock.runtime.settings import Settings, load_settings
from penstock.runtime.types.state import CheckpointRef, StateSnapshot, Update

T = TypeVar("T")


class SavedThreads:
    """Threads in one Redis, which is connected to at first use."""

    def __init__(
        self,
        connection: Redis | str | None = None,
        *,
        settings: Settings | None = None,
        codec: Codec | None = None,
    ) -> None:
        self._given = connection
        self._settings = settings
        self._codec = codec

    @cached_property
    def settings(self) -> Settings:
        """The settings: those given, else this process's."""
        return self._settings or load_settings()

    @cached_property
    def connection(self) -> Redis:
        """The connection, opened at first use."""
        return connect(self._given or self.settings.redis)

    @cached_property
    def threads(self) -> ThreadPlans:
        """What can be asked of threads."""
        codec = self._codec or self.settings.codec()
        return ThreadPlans(RequestPlans(self.settings, codec, self.connection), self.settings)

    def state(self, ref: CheckpointRef) -> StateSnapshot:
        """Return a thread's state at a checkpoint; an empty one if there is none."""
        return self.do(self.threads.state(ref))

    def history(
        self, thread_id: str, before: str, wanted: Mapping[str, Any]
    ) -> tuple[list[StateSnapshot], str]:
        """Return a page of a thread's states, and before which checkpoint the next page is."""
        return self.do(self.threads.history(CheckpointRef(thread_id, before), wanted))

    def update(self, updates: Sequence[Update]) -> str:
        """Change a thread's state, one checkpoint an update; returns the id of the last."""
        return self.do(self.threads.changes.bulk(updates))

    def delete_thread(self, thread_id: str) -> None:
        """Forget a thread and all its runs.

        Raises:
            ThreadBusyError: a run is at work on it.
        """
        self.do(self.threads.delete(thread_id))

    async def adelete_thread(self, thread_id: str) -> None:
        """As `delete_thread`, without blocking the loop."""
        await asyncio.to_thread(self.delete_thread, thread_id)

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Give a new thread the history and the values of another; its runs stay where they are.

        Raises:
            ThreadNotFoundError: nobody knows the thread.
            ConfigurationError: the new thread has a history already.
        """
        self.do(copy_thread(self.threads, source_thread_id, target_thread_id))

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """As `copy_thread`, without blocking the loop."""
        await asyncio.to_thread(self.copy_thread, source_thread_id, target_thread_id)

    def do(self, plan: Plan[T]) -> T:
        """Follow a plan of requests."""
        return follow(plan, self._ask)

    def _ask(self, request: Request) -> Any:
        return ask(self.connection, request)
