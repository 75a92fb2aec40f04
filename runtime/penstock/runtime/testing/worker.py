"""A client and a worker in one process, on an emulated server of their own."""

from __future__ import annotations

__all__ = ["InMemoryWorker"]

import asyncio
import dataclasses
import uuid
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from types import TracebackType
from typing import Any, Final, Self

from fakeredis import FakeAsyncRedis, FakeRedis
from redis import Redis

from penstock.publisher.redis.pool import MOST_IN_MEMORY
from penstock.publisher.redis.script import run
from penstock.runtime.client.async_client import AsyncClient
from penstock.runtime.client.client import Client
from penstock.runtime.concurrency.thread_pool import ThreadPool
from penstock.runtime.executor.app import AnyExecutable, App
from penstock.runtime.executor.executor import Executor
from penstock.runtime.func.task import Task
from penstock.runtime.redis.journal.sender import Sender
from penstock.runtime.redis.replies import Claim
from penstock.runtime.settings import Settings, load_settings
from penstock.runtime.store.emulated import EmulatedServer
from penstock.runtime.testing.loop import CountingPool, SkippingLoop
from penstock.runtime.testing.passing import pass_time

AT_ONCE: Final = 50
"""Runs that are executed at the same time."""

NAME: Final = "in-memory"


class InMemoryWorker:
    """Executes runs as workers do, when the test calls it, and simulates time.

    The scripts, the engine and the client are those of real workers; the server is emulated, and
    gone with this object. Waits of the runs (`sleep`, retries, time limits of interrupts) end by
    `advance`; those of their own code (`asyncio.sleep`, timeouts of steps) are skipped. Steps on a
    queue of their own are performed too, of the `tasks` given.
    """

    def __init__(
        self,
        entrypoints: Iterable[AnyExecutable],
        *,
        tasks: Iterable[Task[..., Any]] = (),
        settings: Settings | None = None,
    ) -> None:
        # With no patience at all, every wait of a run leaves the process.
        self.settings = dataclasses.replace(settings or load_settings(), patience=0.0)
        self.app = App(
            {entrypoint.name: entrypoint for entrypoint in entrypoints},
            {task.name: task for task in tasks},
            self.settings.version,
        )
        self._server = EmulatedServer()
        self.connection: Any = FakeRedis(server=self._server, max_connections=MOST_IN_MEMORY)
        self.client = Client(self.connection, settings=self.settings)
        self._kept: tuple[str, str] | None = None
        """The ticket of a run that is to be by itself, as it may have killed its process."""
        self._announce()

    @cached_property
    def aclient(self) -> AsyncClient:
        """A client for asyncio code: `async with worker.aclient as client`."""
        return AsyncClient(FakeAsyncRedis(server=self._server), settings=self.settings)

    def work(self, make_sender: Callable[[Redis], Sender] = Sender) -> int:
        """Execute runs until there is nothing left to do now; returns how many attempts it took."""
        attempts = 0
        while claims := self._take():
            attempts += len(claims)
            self._execute(claims, make_sender(self.connection))
        return attempts

    async def awork(self) -> int:
        """As `work`, from asyncio code; the runs have a loop of their own."""
        return await asyncio.to_thread(self.work)

    def advance(self, seconds: float) -> int:
        """Let time pass, and execute what is due then; returns the number of attempts."""
        pass_time(self.connection, self.settings.prefix, seconds)
        self._announce()
        return self.work()

    async def aadvance(self, seconds: float) -> int:
        """As `advance`, from asyncio code."""
        return await asyncio.to_thread(self.advance, seconds)

    def close(self) -> None:
        """Forget everything."""
        self.client.close()
        self.connection.flushall()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _announce(self) -> None:
        run(self.connection, self.client.plans.calls.announce(self.app, 3600.0))

    def _take(self) -> Sequence[Claim]:
        calls, settings = self.client.plans.calls, self.settings
        run(self.connection, calls.recover(settings.crashes, 0.0))
        kept, self._kept = self._kept, None
        call = calls.take(
            NAME,
            uuid.uuid4().hex[:16],
            settings.lease,
            AT_ONCE,
            () if kept else self._queues(),
            kept or ("", ""),
            crashes=settings.crashes,
            app=self.app.token,
            mode="alone" if kept else "",
        )
        taken = calls.taken(run(self.connection, call))
        self._kept = taken.suspect
        if kept and not taken.claims:
            return self._take()
        return taken.claims

    def _queues(self) -> Sequence[str]:
        """Return the names of all queues, as runs know them."""
        listed: Any = self.connection.smembers(f"{self.settings.rq_prefix}:queues")
        start, end = self.client.plans.keys.queue("\0").split("\0")
        return sorted(name.decode().removeprefix(start).removesuffix(end) for name in listed)

    def _execute(self, claims: Sequence[Claim], sender: Sender) -> None:
        pool = CountingPool()
        threads = ThreadPool(pool)
        executor = Executor(
            self.connection, self.app, self.settings, threads=threads, sender=sender
        )
        loop = SkippingLoop(lambda: pool.is_idle and threads.is_idle and sender.is_idle)
        loop.set_default_executor(pool)

        async def execute() -> None:
            await asyncio.gather(*(executor.begin(claim) for claim in claims))
            left = asyncio.all_tasks() - {asyncio.current_task()}
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

        try:
            loop.run_until_complete(execute())
        finally:
            executor.close()
            loop.close()
