"""How an asyncio app gets runs done by workers."""

from __future__ import annotations

__all__ = ["AsyncClient"]

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

from redis.asyncio import Redis

from penstock.publisher.codec import Codec
from penstock.publisher.connection import aconnect
from penstock.publisher.hub import Hub
from penstock.runtime.athread import AsyncThreadHandle
from penstock.runtime.client import wanted_run
from penstock.runtime.entrypoint import Entrypoint
from penstock.runtime.handle import AsyncRunHandle
from penstock.runtime.journal import Durability
from penstock.runtime.plan import afollow
from penstock.runtime.redis.asking import aask
from penstock.runtime.redis.calls import OnBusy
from penstock.runtime.redis.creation import Wanted
from penstock.runtime.redis.requests import Plan, Request, RequestPlans
from penstock.runtime.redis.threads import ThreadPlans
from penstock.runtime.run import Run
from penstock.runtime.settings import Settings, load_settings
from penstock.runtime.thread import thread_name

T = TypeVar("T")


class AsyncClient:
    """The `Client` of asyncio code: `async with AsyncClient(url) as client`.

    All streams of a client share one subscribed connection.
    """

    def __init__(
        self,
        redis: Redis | str | None = None,
        *,
        settings: Settings | None = None,
        codec: Codec | None = None,
    ) -> None:
        self.settings = settings or load_settings(
            {"redis": redis if isinstance(redis, str) else None}
        )
        self.codec = codec or self.settings.codec()
        given = self.settings.redis if redis is None else redis
        self.connection = aconnect(given)
        self.plans = RequestPlans(self.settings, self.codec, self.connection)
        self.threads = ThreadPlans(self.plans, self.settings)
        self.hub = Hub(given, prefix=self.settings.prefix, codec=self.codec)

    async def enqueue(
        self,
        entrypoint: Entrypoint[Any, Any] | str,
        input: Any,
        *,
        thread_id: str | None = None,
        run_id: str | None = None,
        queue: str | None = None,
        on_busy: OnBusy = "queue",
        context: Any = None,
        config: Mapping[str, Any] | None = None,
        durability: Durability = "async",
    ) -> AsyncRunHandle:
        """As `Client.enqueue`."""
        options = Wanted(
            "",
            None,
            thread_id=thread_id,
            run_id=run_id,
            queue=self.settings.queue if queue is None else queue,
            on_busy=on_busy,
            context=context,
            config=config or {},
            durability=durability,
        )
        wanted = wanted_run(entrypoint, input, options)
        return AsyncRunHandle(self, *await self.do(self.threads.changes.enqueue(wanted)))

    async def get(self, run_id: str) -> AsyncRunHandle:
        """As `Client.get`."""
        run = await self.do(self.plans.info(run_id))
        return AsyncRunHandle(self, run_id, run.thread_id)

    async def runs(self, status: str | None = None, limit: int = 100) -> list[Run]:
        """As `Client.runs`."""
        return await self.do(self.plans.runs(status, limit))

    def thread(self, thread_id: str) -> AsyncThreadHandle:
        """As `Client.thread`."""
        return AsyncThreadHandle(self, thread_name(thread_id))

    async def do(self, plan: Plan[T]) -> T:
        """Follow a plan of requests."""
        return await afollow(plan, self._ask)

    async def _ask(self, request: Request) -> Any:
        return await aask(self.connection, request)

    async def __aenter__(self) -> Self:
        await self.hub.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.hub.__aexit__(kind, error, traceback)
        await self.connection.aclose()
