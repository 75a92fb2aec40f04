"""The end of a run that somebody cancels or deletes: waited for, but not for ever."""

from __future__ import annotations

__all__ = ["PATIENCE", "delete_run", "has_ended"]

import asyncio
from typing import Final

from penstock.gateway.compatible.legs import FoundLeg, newest_leg
from penstock.gateway.compatible.streams import until_over
from penstock.runtime.client.async_client import AsyncClient
from penstock.runtime.errors import RunNotFoundError, ThreadBusyError

PATIENCE: Final = 10.0
"""Seconds that a run at work has to end once it is cancelled."""


async def has_ended(client: AsyncClient, found: FoundLeg) -> bool:
    """Wait until a leg that was cancelled is over; tells whether it is, after some time."""
    try:
        async with asyncio.timeout(PATIENCE):
            await until_over(client, found)
    except RunNotFoundError:  # it was rolled back, or deleted
        return True
    except TimeoutError:
        return False
    return True


async def delete_run(client: AsyncClient, run_id: str) -> None:
    """Delete a run; it is cancelled first.

    Raises:
        RunNotFoundError: there is no such run.
        ThreadBusyError: it was cancelled, but does not end.
    """
    newest = await newest_leg(client, run_id)
    if newest.run.finished_at is None:
        await client.do(client.plans.cancel(run_id))
        await has_ended(client, newest)
    await client.do(client.threads.delete_run(newest.run.thread_id, run_id))
    try:
        await client.do(client.plans.info(run_id))
    except RunNotFoundError:
        return
    raise ThreadBusyError(
        run_id, f"run {run_id!r} is cancelled and has not ended yet: delete it again in a moment."
    )
