"""Hosted graphs, executed in this process: what is measured is an attempt, not the way to it."""

from __future__ import annotations

import asyncio
import itertools
import time
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

from penstock.publisher.redis.script import run
from penstock.runtime import Client
from penstock.runtime.executor.app import App
from penstock.runtime.executor.executor import Executor
from penstock.runtime.executor.hosted import Hosted
from penstock.runtime.redis.replies import Claim

__all__ = ["Host", "hosted"]


class Host:
    """Executes runs of hosted graphs on a loop of this process, one at a time."""

    def __init__(self, client: Client, executor: Executor, loop: asyncio.Runner) -> None:
        self._client = client
        self._executor = executor
        self._loop = loop
        self._numbers = itertools.count()

    def seconds(self, name: str, given: Any, **options: Any) -> float:
        """Execute a run; returns the seconds from its claim to its stored end."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # no worker has announced it
            handle = self._client.enqueue(name, given, **options)
        nonce = f"n{next(self._numbers)}"
        call = self._client.plans.calls.acquire(handle.run_id, "bench", nonce, 60)
        claim = self._client.plans.calls.acquired(run(self._client.connection, call))
        assert isinstance(claim, Claim), claim
        took = self._loop.run(self._execute(claim))
        assert handle.status() == "completed", handle.info().reason
        return took

    def timed(self, name: str, given: Any, **options: Any) -> Callable[[], float]:
        """What measures the milliseconds of a run."""
        return lambda: 1000 * self.seconds(name, given, **options)

    async def _execute(self, claim: Claim) -> float:
        began = time.perf_counter()
        await self._executor.begin(claim)
        return time.perf_counter() - began


@contextmanager
def hosted(url: str, graphs: Sequence[Hosted], loop: asyncio.Runner) -> Generator[Host]:
    """Give what executes runs of these graphs."""
    with Client(url) as client:
        client.connection.flushall()
        app = App({graph.name: graph for graph in graphs}, {})
        executor = Executor(url, app, client.settings)
        executor.start()
        try:
            yield Host(client, executor, loop)
        finally:
            executor.close()
