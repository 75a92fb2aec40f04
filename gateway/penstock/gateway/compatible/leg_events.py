"""The facts of one leg, until it is over: those of a later leg are never among them."""

from __future__ import annotations

__all__ = ["LegEvents", "newest_facts", "read_last"]

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from penstock.gateway.compatible.legs import FoundLeg
from penstock.publisher.errors import CursorExpiredError
from penstock.publisher.event import Event
from penstock.publisher.hub import asubscribe
from penstock.runtime.client.async_client import AsyncClient

_ASKED: Final = "run.interrupted"
_RESUMED: Final = "run.resumed"


class LegEvents:
    """Follows a leg from a place on, and reads what was there before."""

    def __init__(self, client: AsyncClient, found: FoundLeg) -> None:
        self._client = client
        self._found = found

    async def follow(self, after: int) -> AsyncGenerator[Event]:
        """Give the facts behind a seq until the leg is over."""
        leg, run_id = self._found.leg, self._found.run.run_id
        after = max(after, leg.after)
        if await self._is_behind(after):
            return
        async with asubscribe(run_id, after, hub=self._client.hub) as events:
            async for event in events:
                if event.mode == _RESUMED and event.seq > leg.after + 1:
                    return
                yield event
                if event.seq == leg.end or (event.mode == _ASKED and await self._waits(event.seq)):
                    return

    async def _is_behind(self, after: int) -> bool:
        """Tell whether nothing comes behind a seq: where a leg is over, nothing is published."""
        if self._found.leg.end is not None:
            return after >= self._found.leg.end
        if not self._found.is_over:
            return False
        last = await self._client.do(self._client.plans.last_seq(self._found.run.run_id))
        return after >= last

    async def _waits(self, seq: int) -> bool:
        return await self._client.do(self._client.plans.waits(self._found.run.run_id, seq))

    async def before(self, first: int) -> AsyncGenerator[Event]:
        """Give the facts from a seq on that were there before the leg began."""
        if first > self._found.leg.after:
            return
        async with asubscribe(self._found.run.run_id, first - 1, hub=self._client.hub) as events:
            async for event in events:
                if event.seq > self._found.leg.after:
                    return
                yield event
                if event.seq == self._found.leg.after:
                    return


async def newest_facts(client: AsyncClient, found: FoundLeg, most: int) -> AsyncGenerator[Event]:
    """Give the last facts of a leg that another one follows, as far as they are kept."""
    leg = found.leg
    try:
        follow = LegEvents(client, found).follow(max(leg.after, (leg.end or 0) - most))
        async with aclosing(follow) as facts:
            async for fact in facts:
                yield fact
    except CursorExpiredError:
        return


async def read_last(client: AsyncClient, found: FoundLeg) -> Event | None:
    """Return the last fact of a leg that another one follows; None if it is no longer kept."""
    last: Event | None = None
    async with aclosing(newest_facts(client, found, 1)) as facts:
        async for fact in facts:
            last = fact
    return last
