"""The runs of a thread, which are the legs of its runs."""

from __future__ import annotations

__all__ = ["list_legs"]

from typing import Final

from penstock.gateway.compatible.legs import FoundLeg, is_rolled_back
from penstock.runtime.client.async_client import AsyncClient
from penstock.runtime.redis.plans.legs import read_many_legs

_PAGE: Final = 100


async def list_legs(
    client: AsyncClient, thread_id: str, most: int, status: str | None = None
) -> list[FoundLeg]:
    """Return the legs of a thread's runs, the newest first, those with a status if one is given."""
    found: list[FoundLeg] = []
    after: str | None = None
    while len(found) < most:
        page = await client.runs(thread=thread_id, limit=_PAGE, after=after)
        if ids := [run.run_id for run in page]:
            for legs in await client.do(read_many_legs(client.plans, ids)):
                if not is_rolled_back(legs.run):
                    found += [FoundLeg(legs, leg) for leg in reversed(legs.legs)]
        if status is not None:
            found = [each for each in found if each.status == status]
        after = page.after
        if after is None:
            break
    return found[:most]
