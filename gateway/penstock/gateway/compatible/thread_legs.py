"""The legs of all runs of a thread, one after the other, as they come."""

from __future__ import annotations

__all__ = ["ALL", "LegWalk", "begun_runs", "follow_legs"]

from collections.abc import AsyncGenerator
from typing import Final

from penstock.gateway.compatible.legs import FoundLeg, find_leg, is_rolled_back
from penstock.gateway.thread_news import ThreadNews
from penstock.runtime.client.async_client import AsyncClient
from penstock.runtime.errors import RunNotFoundError
from penstock.runtime.redis.keys import thread_key
from penstock.runtime.redis.plans.legs import read_many_legs
from penstock.runtime.redis.plans.requests import Plan, RequestPlans
from penstock.runtime.types.leg import RunLegs
from penstock.runtime.types.run import OPEN

ALL: Final = "-1"
"""Stands for the place before the first leg."""

PAUSE: Final = 0.5
"""Seconds between two looks for a leg that another process has begun."""


async def follow_legs(
    client: AsyncClient, thread_id: str, begin: str | None, news: ThreadNews
) -> AsyncGenerator[FoundLeg]:
    """Give the legs of a thread from one on, and wait for more.

    `begin` is the id of a leg, or `ALL`; by default they begin with the one that is not over, or
    else with the next one that comes.

    Raises:
        RunNotFoundError: there is no such leg.
    """
    found = await _first(client, thread_id, begin)
    if found is not None and (begin is not None or not found.is_over):
        yield found
    walk = LegWalk(client, thread_id, found)
    while True:
        following = await walk.following()
        if following is None:
            await news.wait(thread_id, PAUSE)
            continue
        yield following


async def _first(client: AsyncClient, thread_id: str, begin: str | None) -> FoundLeg | None:
    if begin is None:
        newest = await _runs(client, thread_id)
        return FoundLeg(newest[-1], newest[-1].legs[-1]) if newest else None
    return None if begin == ALL else await find_leg(client, begin, thread_id)


class LegWalk:
    """A place in the legs of a thread, which goes on to each leg that begins."""

    def __init__(self, client: AsyncClient, thread_id: str, found: FoundLeg | None) -> None:
        self._client = client
        self._thread_id = thread_id
        self._found = found
        self._exhausted_at: str | None = None
        """The run that the thread was at when no further run had begun; "" for none."""

    async def following(self) -> FoundLeg | None:
        """Go on to the next leg, and return it; None if it has not begun."""
        at = await self._client.do(self._client.plans.last_run(self._thread_id)) or ""
        now = await self._now()
        if now is not None:
            if now.leg.end is not None:
                return self._go_to(FoundLeg(now.legs, now.legs.legs[now.leg.number]))
            if at == now.run.run_id or now.run.status in OPEN:
                return None
        if at == self._exhausted_at:
            return None
        later = await self._later_runs()
        if not later:
            self._exhausted_at = at
            return None
        return self._go_to(FoundLeg(later[0], later[0].legs[0]))

    def _go_to(self, following: FoundLeg) -> FoundLeg:
        self._found, self._exhausted_at = following, None
        return following

    async def _now(self) -> FoundLeg | None:
        """Read the leg of this place; None if there is none, or none any more.

        A run that was rolled back, deleted or kept long enough is as one that is over.
        """
        if self._found is None:
            return None
        try:
            return await find_leg(self._client, self._found.leg.leg_id)
        except RunNotFoundError:
            return None

    async def _later_runs(self) -> list[RunLegs]:
        runs = await _runs(self._client, self._thread_id)
        if self._found is None:
            return runs
        here, known = self._found.run, [legs.run.run_id for legs in runs]
        if here.run_id in known:
            return runs[known.index(here.run_id) + 1 :]
        return [legs for legs in runs if legs.run.created_at > here.created_at]


async def _runs(client: AsyncClient, thread_id: str) -> list[RunLegs]:
    """Read the runs of a thread that have begun and are kept, in their order."""
    run_ids = await client.do(begun_runs(client.plans, thread_id))
    if not run_ids:
        return []
    found = await client.do(read_many_legs(client.plans, run_ids))
    return [legs for legs in found if not is_rolled_back(legs.run)]


def begun_runs(plans: RequestPlans, thread_id: str) -> Plan[list[str]]:
    """Read the ids of the runs of a thread that have begun, in their order."""
    entries = yield ("LRANGE", plans.keys.history(thread_key(thread_id)), 0, -1)
    at = yield from plans.last_run(thread_id)
    names = [each.split(b" ", 5)[4].decode() for each in entries] + ([at] if at else [])
    return [name for name in dict.fromkeys(names) if name]
