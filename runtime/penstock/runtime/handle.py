"""What a client holds of a run: follow it, wait for it, answer it, cancel it."""

from __future__ import annotations

__all__ = ["AsyncRunHandle", "RunHandle", "seen", "viewed"]

import asyncio
import time
from collections.abc import AsyncIterator, Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from penstock.publisher.event import Event
from penstock.publisher.hub import asubscribe
from penstock.publisher.subscribe import subscribe
from penstock.runtime.interrupt import NOTHING
from penstock.runtime.redis.requests import Plan, RequestPlans, is_open
from penstock.runtime.run import Run, RunStatus
from penstock.runtime.view import CONFIGURED, View, check_modes

if TYPE_CHECKING:
    from penstock.runtime.aclient import AsyncClient
    from penstock.runtime.client import Client

PAUSES = ("run.interrupted",)


class _Handle:
    """What both kinds of handle know."""

    def __init__(self, run_id: str, thread_id: str) -> None:
        self._run_id = run_id
        self._thread_id = thread_id

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self._run_id

    @property
    def thread_id(self) -> str:
        """The id of the run's thread."""
        return self._thread_id

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._run_id}>"


class RunHandle(_Handle):
    """A run, from synchronous code."""

    def __init__(self, client: Client, run_id: str, thread_id: str) -> None:
        super().__init__(run_id, thread_id)
        self._client = client

    def info(self) -> Run:
        """Read what is known of the run.

        Raises:
            RunNotFoundError: its retention is over.
        """
        return self._client.do(self._client.plans.info(self._run_id))

    def status(self) -> RunStatus:
        """Read the run's status."""
        return self.info().status

    def result(self, timeout: float | None = None) -> Any:
        """Wait until the run is over, and return its result.

        A run that waits for an answer returns `{"__interrupt__": [Interrupt, ...]}`, as `invoke`
        does.

        Raises:
            RunFailedError: it failed; its error is the cause.
            RunCancelledError: it was cancelled.
            TimeoutError: it is still at work after `timeout` seconds.
        """
        do, plans = self._client.do, self._client.plans
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            seq = do(plans.last_seq(self._run_id))
            run = do(plans.info(self._run_id))
            if not is_open(run):
                return do(plans.outcome(run))
            left = None if deadline is None else max(deadline - time.monotonic(), 0.001)
            try:
                self._wait(seq, left)
            except TimeoutError:
                raise _not_over(self._run_id, timeout) from None

    def _wait(self, after: int, timeout: float | None) -> None:
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._subscribe(after, timeout) as events:
            for event in events:
                if event.terminal or event.mode in PAUSES:
                    return
                if deadline is not None and time.monotonic() > deadline:
                    raise TimeoutError

    def _subscribe(self, after: int, timeout: float | None = None) -> Any:
        client = self._client
        return subscribe(
            self._run_id,
            after,
            connection=client.connection,
            prefix=client.settings.prefix,
            codec=client.codec,
            timeout=timeout,
        )

    def stream(
        self,
        stream_mode: str | Sequence[str] = "updates",
        *,
        after: int = 0,
        subgraphs: bool = False,
    ) -> Iterator[Event]:
        """Follow the run in the given stream modes, until it is over or waits for an answer.

        Each event has `mode` and `data` as `stream` in process gives them, and a `seq` to go on
        from: `run.stream(after=event.seq)`. It unpacks as `mode, data`. Leaving the loop does not
        touch the run.

        Raises:
            CursorExpiredError: the events after the cursor are no longer kept.
        """
        modes = check_modes(stream_mode)
        view = self._client.do(viewed(self._client.plans, self._run_id, modes, subgraphs))
        return self._events(view, after)

    def _events(self, view: View, after: int) -> Iterator[Event]:
        with self._subscribe(after) as events:
            for event in events:
                yield from seen(view, event)
                if event.mode in PAUSES and self._client.do(
                    self._client.plans.waits(self._run_id, event.seq)
                ):
                    return

    def cancel(self) -> RunStatus:
        """Cancel the run; returns its status after the call: cancelled, or running until it hears.

        Raises:
            RunNotFoundError: its retention is over.
        """
        return self._client.do(self._client.plans.cancel(self._run_id))

    def resume(self, answer: Any = NOTHING) -> RunHandle:
        """Answer what the run asks, or without an answer let a failed run go on.

        An answer is given as in `Command(resume=answer)`: one value, or a map of interrupt ids.

        Raises:
            ResumeError: it waits for no such answer.
        """
        self._client.do(self._client.plans.resume(self._run_id, answer))
        return self


class AsyncRunHandle(_Handle):
    """A run, from asyncio code."""

    def __init__(self, client: AsyncClient, run_id: str, thread_id: str) -> None:
        super().__init__(run_id, thread_id)
        self._client = client

    async def info(self) -> Run:
        """As `RunHandle.info`."""
        return await self._client.do(self._client.plans.info(self._run_id))

    async def status(self) -> RunStatus:
        """As `RunHandle.status`."""
        return (await self.info()).status

    async def result(self, timeout: float | None = None) -> Any:
        """As `RunHandle.result`."""
        do, plans = self._client.do, self._client.plans
        limit = asyncio.timeout(timeout)
        try:
            async with limit:
                while True:
                    seq = await do(plans.last_seq(self._run_id))
                    run = await do(plans.info(self._run_id))
                    if not is_open(run):
                        return await do(plans.outcome(run))
                    async with self._subscribe(seq) as events:
                        async for event in events:
                            if event.terminal or event.mode in PAUSES:
                                break
        except TimeoutError:
            if limit.expired():
                raise _not_over(self._run_id, timeout) from None
            raise

    def _subscribe(self, after: int) -> Any:
        return asubscribe(self._run_id, after, hub=self._client.hub)

    async def stream(
        self,
        stream_mode: str | Sequence[str] = "updates",
        *,
        after: int = 0,
        subgraphs: bool = False,
    ) -> AsyncIterator[Event]:
        """As `RunHandle.stream`."""
        modes = check_modes(stream_mode)
        plan = viewed(self._client.plans, self._run_id, modes, subgraphs)
        view = await self._client.do(plan)
        async with self._subscribe(after) as events:
            async for event in events:
                for chunk in seen(view, event):
                    yield chunk
                if event.mode in PAUSES and await self._client.do(
                    self._client.plans.waits(self._run_id, event.seq)
                ):
                    return

    async def cancel(self) -> RunStatus:
        """As `RunHandle.cancel`."""
        return await self._client.do(self._client.plans.cancel(self._run_id))

    async def resume(self, answer: Any = NOTHING) -> AsyncRunHandle:
        """As `RunHandle.resume`."""
        await self._client.do(self._client.plans.resume(self._run_id, answer))
        return self


def viewed(
    plans: RequestPlans, run_id: str, modes: Sequence[str], subgraphs: bool = False
) -> Plan[View]:
    """Plan to follow a run in stream modes.

    Raises:
        RunNotFoundError: its retention is over.
    """
    run = yield from plans.info(run_id)
    config: Mapping[str, Any] = {}
    if not CONFIGURED.isdisjoint(modes):
        config = yield from plans.config(run_id)
    return View(
        modes,
        entrypoint=run.entrypoint,
        subgraphs=subgraphs,
        config=config,
        thread_id=run.thread_id,
    )


def seen(view: View, event: Event) -> Generator[Event]:
    """Give a fact as a view's chunks, each with the fact's place in the stream."""
    for namespace, mode, payload in view.chunks(
        event.mode, event.data, event.namespace, event.time
    ):
        yield Event(
            seq=event.seq,
            run_id=event.run_id,
            thread_id=event.thread_id,
            mode=mode,
            namespace=namespace,
            data=payload,
            attempt=event.attempt,
            time=event.time,
        )


def _not_over(run_id: str, timeout: float | None) -> TimeoutError:
    return TimeoutError(
        f"run {run_id!r} is not over after {timeout:g} s; penstock show {run_id} says what it does."
    )
