"""The stored events of a run, as long as more may come."""

from __future__ import annotations

__all__ = ["FACTS", "facts"]

from collections.abc import AsyncGenerator
from typing import Final

from penstock.publisher.event import Event
from penstock.publisher.hub import asubscribe
from penstock.runtime.client.async_client import AsyncClient
from penstock.runtime.errors import RunNotFoundError
from penstock.runtime.types.run import OPEN

FACTS: Final = "facts"
"""The mode that gives the stored events themselves, not chunks made of them."""


async def facts(client: AsyncClient, run_id: str, after: int) -> AsyncGenerator[Event]:
    """Give the events of a run after a cursor, until it is over.

    A run that failed and was resumed has an end in the middle.
    """
    while True:
        async with asubscribe(run_id, after, hub=client.hub) as events:
            async for event in events:
                after = event.seq
                yield event
        try:
            run = await client.do(client.plans.info(run_id))
        except RunNotFoundError:  # it was deleted, or its retention has ended
            return
        if run.status not in OPEN and await client.do(client.plans.last_seq(run_id)) <= after:
            return
