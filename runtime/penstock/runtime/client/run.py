"""Handles of one run: follow it, wait for its result, answer it, cancel it."""

from __future__ import annotations

__all__ = ["AsyncRunHandle", "RunHandle"]

import asyncio
import time
from collections.abc import Sequence
from typing import Any, TypeAlias

from penstock.publisher.hub import asubscribe
from penstock.publisher.subscribe import subscribe
from penstock.runtime.client.run_stream import AsyncRunStream, Followed, RunStream, resumption
from penstock.runtime.client.transport import AsyncTransport, Transport
from penstock.runtime.errors import ConfigurationError
from penstock.runtime.redis.plans.amend_run import amend_run
from penstock.runtime.redis.plans.requests import Plan, RequestPlans, is_open
from penstock.runtime.redis.plans.rerun import rerun
from penstock.runtime.streaming.mode_view import check_modes
from penstock.runtime.types.interrupt import NOTHING
from penstock.runtime.types.run import Run, RunStatus

Steps: TypeAlias = str | Sequence[str]
"""The id of a step, or several."""

PAUSES = ("run.interrupted",)


class _Handle:
    """The data of both kinds of handle."""

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

    def __init__(self, client: Transport, run_id: str, thread_id: str) -> None:
        super().__init__(run_id, thread_id)
        self._client = client

    def info(self) -> Run:
        """Read the run's record.

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
            TimeoutError: it is not over after `timeout` seconds.
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
    ) -> RunStream:
        """Follow the run in the given stream modes, until it is over or waits for an answer.

        Each event has `mode` and `data` as `stream` in process yields them, and a `seq` to continue
        from: `run.stream(after=event.seq)`. It unpacks as `mode, data`. Leaving the loop does not
        affect the run. With several modes, a run that fails or is cancelled ends with an event of
        mode `run.finished`, whose data has `status` and `reason`; `stream.end` is the event that
        ended any stream.

        Raises:
            CursorExpiredError: the events after the cursor are no longer kept.
        """
        followed = _followed(self._run_id, stream_mode, after, subgraphs)
        return RunStream(self._client, followed, self._subscribe)

    def cursor(self, last_event_id: str | None) -> int | None:
        """Return the cursor of a browser that reconnects, from its header `Last-Event-ID`.

        None means that the browser has seen the end of the run: answer 204 to stop it.

        Raises:
            InvalidCursorError: the header is not the number of an event: 400.
            RunNotFoundError: the run's retention is over: 404.
            CursorExpiredError: the next event is no longer kept, or does not exist: 410.
        """
        return self._client.do(resumption(self._client.plans, self._run_id, last_event_id))

    def cancel(self) -> RunStatus:
        """Cancel the run; returns its status after the call: cancelled, or running for a moment.

        Raises:
            RunNotFoundError: its retention is over.
        """
        return self._client.do(self._client.plans.cancel(self._run_id))

    def resume(self, answer: Any = NOTHING, *, accept: Steps = (), forget: Steps = ()) -> RunHandle:
        """Answer the run's question, or without an answer let a failed run continue.

        An answer is given as in `Command(resume=answer)`: one value, or a map of interrupt ids.
        After a ReplayError, `accept` names steps whose records stand, though the code calls them
        with other arguments or not at all, and `forget` those that are to be executed again.

        Raises:
            ResumeError: it waits for no such answer.
            ConfigurationError: it has recorded no such step.
        """
        self._client.do(_resume(self._client.plans, self._run_id, answer, accept, forget))
        return self

    def rerun(self, input: Any = NOTHING) -> RunHandle:
        """Enqueue a run of the same input, context, config, tags, queue and thread.

        With an `input`, the new run is given that instead. It begins at its first step;
        `info().rerun_of` names this one.

        Raises:
            RunNotFoundError: its retention is over.
            CodecError: the input cannot be written.
        """
        client = self._client
        plan = rerun(client.plans, client.settings, self._run_id, input)
        return RunHandle(client, *client.do(plan))


class AsyncRunHandle(_Handle):
    """A run, from asyncio code."""

    def __init__(self, client: AsyncTransport, run_id: str, thread_id: str) -> None:
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
        deadline = None if timeout is None else asyncio.get_running_loop().time() + timeout
        while True:
            seq = await do(plans.last_seq(self._run_id))
            run = await do(plans.info(self._run_id))
            if not is_open(run):
                return await do(plans.outcome(run))
            limit = asyncio.timeout_at(deadline)
            try:
                async with limit:
                    await self._wait(seq)
            except TimeoutError:
                if limit.expired():
                    raise _not_over(self._run_id, timeout) from None
                raise

    async def _wait(self, after: int) -> None:
        async with self._subscribe(after) as events:
            async for event in events:
                if event.terminal or event.mode in PAUSES:
                    return

    def _subscribe(self, after: int) -> Any:
        return asubscribe(self._run_id, after, hub=self._client.hub)

    def stream(
        self,
        stream_mode: str | Sequence[str] = "updates",
        *,
        after: int = 0,
        subgraphs: bool = False,
    ) -> AsyncRunStream:
        """As `RunHandle.stream`."""
        followed = _followed(self._run_id, stream_mode, after, subgraphs)
        return AsyncRunStream(self._client, followed, self._subscribe)

    async def cursor(self, last_event_id: str | None) -> int | None:
        """As `RunHandle.cursor`."""
        return await self._client.do(resumption(self._client.plans, self._run_id, last_event_id))

    async def cancel(self) -> RunStatus:
        """As `RunHandle.cancel`."""
        return await self._client.do(self._client.plans.cancel(self._run_id))

    async def resume(
        self, answer: Any = NOTHING, *, accept: Steps = (), forget: Steps = ()
    ) -> AsyncRunHandle:
        """As `RunHandle.resume`."""
        await self._client.do(_resume(self._client.plans, self._run_id, answer, accept, forget))
        return self

    async def rerun(self, input: Any = NOTHING) -> AsyncRunHandle:
        """As `RunHandle.rerun`."""
        client = self._client
        plan = rerun(client.plans, client.settings, self._run_id, input)
        return AsyncRunHandle(client, *await client.do(plan))


def _resume(
    plans: RequestPlans, run_id: str, answer: Any, accept: Steps, forget: Steps
) -> Plan[object]:
    if not accept and not forget:
        return plans.resume(run_id, answer)
    if answer is not NOTHING:
        raise ConfigurationError(
            "resume() takes an answer, or the steps to accept and to forget: a run that has failed "
            "asks nothing."
        )
    return amend_run(plans, run_id, _listed(accept), _listed(forget))


def _listed(steps: Steps) -> list[str]:
    return [steps] if isinstance(steps, str) else list(steps)


def _followed(
    run_id: str, stream_mode: str | Sequence[str], after: int, subgraphs: bool
) -> Followed:
    modes = check_modes(stream_mode)
    return Followed(run_id, modes, after, subgraphs)


def _not_over(run_id: str, timeout: float | None) -> TimeoutError:
    return TimeoutError(
        f"run {run_id!r} is not over after {timeout:g} s; penstock show {run_id} shows its steps."
    )
