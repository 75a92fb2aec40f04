"""Deletes a thread whose runs may be at work."""

from __future__ import annotations

__all__ = ["delete_thread"]

from penstock.gateway.compatible.run_ending import PATIENCE
from penstock.runtime.client.async_client import AsyncClient
from penstock.runtime.errors import RunError, RunNotFoundError, ThreadBusyError
from penstock.runtime.redis.keys import thread_key
from penstock.runtime.redis.plans.requests import Plan


async def delete_thread(client: AsyncClient, thread_id: str) -> None:
    """Delete a thread; its runs are cancelled first, those in line before the one at work.

    Raises:
        ThreadBusyError: a run that was cancelled does not end.
    """
    while True:
        try:
            return await client.thread(thread_id).delete()
        except ThreadBusyError as busy:
            waiting = client.plans.keys.waiting(thread_key(thread_id))
            names = await client.do(_listed(waiting))
            for run_id in (*names, busy.run_id):
                await _cancel(client, run_id)
            await _await_end(client, busy)


async def _cancel(client: AsyncClient, run_id: str) -> None:
    try:
        await client.do(client.plans.cancel(run_id))
    except RunNotFoundError:
        pass  # it is gone meanwhile


async def _await_end(client: AsyncClient, busy: ThreadBusyError) -> None:
    try:
        run = await client.get(busy.run_id)
        await run.result(PATIENCE)
    except TimeoutError:
        raise busy from None
    except RunError:
        pass  # so it has ended


def _listed(name: str) -> Plan[list[str]]:
    found = yield ("LRANGE", name, 0, -1)
    return [each.decode() for each in found]
