"""The function that a plain `rq worker` calls for a run's ticket."""

from __future__ import annotations

__all__ = ["perform"]

import asyncio
import uuid
from typing import Any, Final

from rq import get_current_job

from penstock.publisher.connection import connect
from penstock.publisher.script import run
from penstock.runtime.errors import ConfigurationError
from penstock.runtime.redis.calls import Claim
from penstock.runtime.redis.executor import Executor
from penstock.runtime.settings import load_settings
from penstock.worker.app import load_app
from penstock.worker.recover import Recovery

ANNOUNCED: Final = 300.0
"""Seconds for which the entrypoints of a plain RQ worker count as served; it cannot say so idle."""


def perform(run_id: str) -> None:
    """Execute one attempt of a run, in the process of a plain RQ worker.

    The app comes from PENSTOCK_APP (or [tool.penstock] app); Redis is the worker's own. Returns
    when the run is over, waits for an answer, or is not there to be taken.

    Raises:
        ConfigurationError: no app is set, or it cannot be loaded; or no RQ job is being performed.
    """
    job: Any = get_current_job()
    if job is None:
        raise ConfigurationError("perform() is called by RQ workers; use client.enqueue(...).")
    settings = load_settings()
    executor = Executor(job.connection, load_app(settings.app), settings)
    recovery = Recovery(connect(job.connection), settings)
    recovery.start()
    try:
        names = executor.calls.announce(executor.app.entrypoints, ANNOUNCED)
        run(executor.sender.connection, names)
        call = executor.calls.acquire(run_id, "", uuid.uuid4().hex[:16], settings.lease)
        claim = executor.calls.acquired(run(executor.sender.connection, call))
        if isinstance(claim, Claim):
            asyncio.run(_execute(executor, claim))
    finally:
        recovery.close()
        executor.close()


async def _execute(executor: Executor, claim: Claim) -> None:
    await executor.begin(claim)
