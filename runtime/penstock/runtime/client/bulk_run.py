"""The entrypoint of workers for one action on many runs, as a run of its own."""

from __future__ import annotations

__all__ = ["bulk_entrypoint"]

import asyncio
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

from penstock.runtime.client.async_client import AsyncClient
from penstock.runtime.engine.context import get_runtime
from penstock.runtime.func.entrypoint import entrypoint
from penstock.runtime.func.task import task
from penstock.runtime.redis.plans.bulk import Bulk
from penstock.runtime.types.bulk import BULK, BulkOrder
from penstock.runtime.workflow.entrypoint import Entrypoint


def bulk_entrypoint(open_client: Callable[[], AsyncClient]) -> Entrypoint[Any, Any]:
    """Return the entrypoint: each page of runs is a step, so that another worker goes on.

    A page is done again where a worker dies before it is recorded. No run is changed twice, as each
    must be as it was read; those of that page that were changed before do not count.
    """
    # Of each attempt: one that has lost its run may be at work beside the next one.
    current: ContextVar[AsyncClient] = ContextVar("penstock_bulk_client")

    @task(name="page")
    async def page(
        order: Mapping[str, Any], place: Mapping[str, Any], pause: float
    ) -> dict[str, Any]:
        runtime = get_runtime()
        own = runtime.execution_info.run_id
        await asyncio.sleep(pause)
        client = current.get()
        bulk = Bulk(
            client.threads,
            client.search,
            client.settings,
            BulkOrder.read(order),
            own=own,
            after=place["after"],
            done=place["done"],
            skipped=place["skipped"],
        )
        await client.do(bulk.step())
        runtime.stream_writer({"done": bulk.done, "skipped": bulk.skipped})
        return {"after": bulk.after, "done": bulk.done, "skipped": bulk.skipped}

    @entrypoint(name=BULK)
    async def bulk(order: dict[str, Any]) -> dict[str, int]:
        """Do the same to all runs that pass filters: see `client.start_bulk`."""
        rate = BulkOrder.read(order).rate
        place: dict[str, Any] = {"after": None, "done": 0, "skipped": 0}
        pause = 0.0
        async with open_client() as client:
            current.set(client)
            while True:
                before = place["done"]
                place = await page(order, place, pause)
                if place["after"] is None:
                    return {"done": place["done"], "skipped": place["skipped"]}
                pause = (place["done"] - before) / rate

    return bulk
