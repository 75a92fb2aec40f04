"""The function that a plain `rq worker` calls for a run's ticket."""

from __future__ import annotations

__all__ = ["perform"]

import asyncio
import time
import uuid
from collections.abc import Sequence
from typing import Any, Final

from rq import get_current_job

from penstock.publisher.redis.connection import connect
from penstock.publisher.redis.script import run
from penstock.runtime.errors import ConfigurationError
from penstock.runtime.executor.executor import Executor
from penstock.runtime.redis.calls import FOR_NOW
from penstock.runtime.redis.replies import Claim
from penstock.runtime.redis.world import World
from penstock.runtime.settings import load_settings
from penstock.worker.process.app_loader import load_app
from penstock.worker.process.recovery import Recovery

ANNOUNCED: Final = 300.0
"""Seconds for which the entrypoints of a plain RQ worker count as served; an idle one is silent."""

PAUSE: Final = 1.0
"""Seconds that a parked run may wait to be taken, before its ticket is passed on."""


def perform() -> None:
    """Execute one attempt of the run of the current RQ job, in the process of a plain RQ worker.

    The app comes from PENSTOCK_APP (or [tool.penstock] app); Redis is the worker's own. Returns
    when the run is over, waits for an answer, or cannot be taken.

    Raises:
        ConfigurationError: no app is set, or it cannot be loaded; or no RQ job is being performed.
    """
    job: Any = get_current_job()
    if job is None:
        raise ConfigurationError("perform() is called by RQ workers; use client.enqueue(...).")
    settings = load_settings()
    run_id = World(settings.prefix).run(job.id)
    executor = Executor(job.connection, load_app(settings.app), settings)
    recovery = Recovery(connect(job.connection), settings)
    recovery.start()
    try:
        asyncio.run(_execute(executor, run_id, job.origin))
    finally:
        recovery.close()
        executor.close()


async def _execute(executor: Executor, run_id: str, queue: str) -> None:
    """Execute the run that the ticket is of, then those of the queue that wait for this app."""
    run(executor.sender.connection, executor.calls.announce(executor.app, ANNOUNCED))
    claim = _acquire(executor, run_id)
    if claim == FOR_NOW:
        time.sleep(PAUSE)
        claim = _acquire(executor, run_id)
    claims = [claim] if isinstance(claim, Claim) else _parked(executor, queue)
    while claims:
        await executor.begin(claims[0])
        claims = _parked(executor, queue)


def _acquire(executor: Executor, run_id: str) -> Claim | str:
    calls, lease = executor.calls, executor.settings.lease
    call = calls.acquire(run_id, "", _nonce(), lease, app=executor.app.token)
    return calls.acquired(run(executor.sender.connection, call))


def _parked(executor: Executor, queue: str) -> Sequence[Claim]:
    calls, settings = executor.calls, executor.settings
    mark = World(settings.prefix).queue("")
    call = calls.take(
        "",
        _nonce(),
        settings.lease,
        1,
        [queue.removesuffix(mark)],
        crashes=settings.crashes,
        app=executor.app.token,
        mode="parked",
    )
    return calls.taken(run(executor.sender.connection, call)).claims


def _nonce() -> str:
    return uuid.uuid4().hex[:16]
