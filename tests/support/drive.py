"""One way to run an entrypoint of a test: in this process, or on a worker over real Redis."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from penstock.runtime import Client, Command, InMemorySaver, RedisSaver
from penstock.runtime.client.run import RunHandle
from penstock.runtime.settings import Settings
from penstock.runtime.types.interrupt import NOTHING
from penstock.runtime.workflow.entrypoint import AnyEntrypoint
from penstock.worker import Worker

Kind = Literal["invoke", "ainvoke", "redis", "worker"]
KINDS: tuple[Kind, ...] = ("invoke", "ainvoke", "redis", "worker")


class Drive:
    """Runs entrypoints until they are over or wait, always the same way.

    `invoke` and `ainvoke` run in memory, `redis` invokes over Redis, `worker` enqueues and lets a
    worker work. What comes out is what `invoke` returns, or the error that the body raised.
    """

    def __init__(self, kind: Kind, url: str) -> None:
        self.kind = kind
        self._url = url
        self._saver = RedisSaver(url) if kind == "redis" else InMemorySaver()
        self._settings = Settings(redis=url, lease=2.0, renew=0.5)
        self._runs: dict[str, RunHandle] = {}

    def __call__(
        self, flow: AnyEntrypoint, value: Any, thread: str = "thread", **options: Any
    ) -> Any:
        """Give new input, None or a Command to a thread."""
        if self.kind == "worker":
            return self._work(flow, value, thread, options)
        kept = flow.copy({"checkpointer": self._saver})
        config = {"configurable": {"thread_id": thread}, **options.pop("config", {})}
        if self.kind == "ainvoke" or flow.body.is_async:
            return asyncio.run(kept.ainvoke(value, config, **options))
        return kept.invoke(value, config, **options)

    def _work(self, flow: AnyEntrypoint, value: Any, thread: str, options: dict[str, Any]) -> Any:
        with Client(settings=self._settings) as client:
            if value is None or isinstance(value, Command):
                run = client.get(self._runs[thread].run_id)
                run.resume(NOTHING if value is None else value.resume)
            else:
                run = client.enqueue(flow, value, thread_id=thread, **options)
            self._runs[thread] = run
            worker = Worker(
                ["default"],
                connection=self._url,
                entrypoints={flow.name: flow},
                settings=self._settings,
            )
            worker.work(burst=True)
            return _outcome(run)


def _outcome(run: RunHandle) -> Any:
    from penstock.runtime.errors import RunFailedError

    try:
        return run.result(5)
    except RunFailedError as error:
        raise error.__cause__ or error from None
