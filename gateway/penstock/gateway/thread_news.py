"""Wakes those of this process who wait for the next run of a thread."""

from __future__ import annotations

__all__ = ["ThreadNews"]

import asyncio
from contextlib import suppress


class ThreadNews:
    """Tells of runs that this process begins; those of others are found by looking now and then."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}

    def tell(self, thread_id: str) -> None:
        """Wake those who wait for a run of a thread."""
        for each in self._waiting.get(thread_id, ()):
            each.set()

    async def wait(self, thread_id: str, seconds: float) -> None:
        """Wait for news of a thread, so many seconds at most."""
        news = asyncio.Event()
        waiting = self._waiting.setdefault(thread_id, set())
        waiting.add(news)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await news.wait()
        finally:
            waiting.discard(news)
            if not waiting:
                self._waiting.pop(thread_id, None)
