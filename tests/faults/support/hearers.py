"""Followers on one event loop, over one hub, for tests that are not asynchronous themselves."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import AsyncExitStack
from typing import Any, Final, TypeVar

from penstock.publisher.event import Event
from penstock.publisher.hub import Hub, asubscribe

T = TypeVar("T")

PATIENCE: Final = 30.0


class Hearer:
    """One that follows all facts of a run."""

    def __init__(self, future: Future[list[Event]]) -> None:
        self._future = future

    def all(self) -> list[Event]:
        """Wait for the terminal event; returns all there were."""
        return self._future.result(PATIENCE)


class Hearers:
    """A thread with a loop and a hub, which any number of runs share."""

    def __init__(self, url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._stack = AsyncExitStack()
        self._hub: Hub = self._submit(self._stack.enter_async_context(Hub(url))).result(PATIENCE)

    def follow(self, run_id: str) -> Hearer:
        """Follow a run, which need not exist yet."""
        return Hearer(self._submit(self._hear(run_id)))

    def close(self) -> None:
        """End the loop, and with it whoever still listens."""
        self._submit(self._stack.aclose()).result(PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _hear(self, run_id: str) -> list[Event]:
        async with asubscribe(run_id, hub=self._hub) as events:
            return [event async for event in events]

    def _submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)
