"""Tells the open pages that runs have changed: one look a second, for all of them together."""

from __future__ import annotations

__all__ = ["Changes", "ticks"]

import asyncio
import logging
from collections.abc import AsyncGenerator
from typing import Any, Final

from penstock.publisher.errors import PenstockError
from penstock.publisher.sse import KEEP_ALIVE
from penstock.runtime.client.async_client import AsyncClient

logger = logging.getLogger(__name__)

EVERY: Final = 1.0
"""Seconds between two looks."""

TICK: Final = 5.0
"""Seconds after which who is not told of changes looks again."""

NEWEST: Final = 20
"""Runs that are looked at; of the others, how many have which status."""

CHANGED: Final = "event: changed\ndata: {}\n\n"


async def ticks() -> AsyncGenerator[str]:
    """Give a frame from time to time: who does not see all runs is not told when others change."""
    yield KEEP_ALIVE
    while True:
        yield CHANGED
        await asyncio.sleep(TICK)


class Changes:
    """Looks while somebody watches, and not otherwise."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._watchers: set[asyncio.Event] = set()
        self._looking: asyncio.Future[None] | None = None

    async def frames(self) -> AsyncGenerator[str]:
        """Give a frame at once, as the page may be older by then, and one for each change."""
        changed = asyncio.Event()
        self._watchers.add(changed)
        if self._looking is None:
            self._looking = asyncio.ensure_future(self._look())
        try:
            yield KEEP_ALIVE
            yield CHANGED
            while True:
                await changed.wait()
                changed.clear()
                yield CHANGED
        finally:
            self._watchers.discard(changed)
            self._rest()

    def _rest(self) -> None:
        if not self._watchers and self._looking is not None:
            self._looking.cancel()
            self._looking = None

    async def _look(self) -> None:
        seen: Any = None
        is_failing = False
        while True:
            try:
                found = await self._read()
                is_failing = False
            except PenstockError:  # pages say themselves that Redis is away
                found = seen
            except Exception:  # whoever watches is told of changes once it works again
                found = seen
                if not is_failing:
                    logger.exception("looking for changes of runs has failed")
                is_failing = True
            if seen is not None and found != seen:
                for watcher in self._watchers:
                    watcher.set()
            seen = found
            await asyncio.sleep(EVERY)

    async def _read(self) -> Any:
        client = self._client
        counts, newest = await asyncio.gather(client.counts(), client.runs(limit=NEWEST))
        return counts, list(newest)
