"""Streams of one run in stream modes: its chunks as events, and how the stream ended."""

from __future__ import annotations

__all__ = ["AsyncRunStream", "RunStream", "resumption", "seen", "viewed"]

from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from penstock.publisher.errors import CursorExpiredError
from penstock.publisher.event import TERMINAL, Event
from penstock.publisher.sse import cursor
from penstock.publisher.stored import Part, read
from penstock.runtime.client.transport import AsyncTransport, Transport
from penstock.runtime.errors import RunNotFoundError
from penstock.runtime.redis.plans.requests import Plan, RequestPlans
from penstock.runtime.streaming.mode_view import CONFIGURED, ModeView
from penstock.runtime.types.run import OPEN, Run, RunStatus

PAUSE: Final = "run.interrupted"


@dataclass(frozen=True, slots=True)
class Followed:
    """Which run is followed, in which modes, and from where on."""

    run_id: str
    modes: Sequence[str]
    after: int
    subgraphs: bool

    def last(self, end: Event) -> Sequence[Event]:
        """Yield the event of the end, if the reader gets it.

        No mode has a chunk for the end of a run that has not completed. A reader of several modes
        checks each event's mode, so it gets the event itself.
        """
        is_shown = len(set(self.modes)) > 1 and end.data["status"] != RunStatus.COMPLETED
        return (end,) if is_shown else ()


class RunStream:
    """The events of a run, in synchronous code; it may be closed, or left, before its end."""

    def __init__(
        self,
        client: Transport,
        followed: Followed,
        subscribe: Callable[[int], AbstractContextManager[Any]],
    ) -> None:
        self.end: Event | None = None
        """How it ended: `run.finished` or `run.interrupted`, whose data has the run's `status`."""
        self._client = client
        self._followed = followed
        self._subscribe = subscribe
        view = client.do(viewed(client.plans, followed.run_id, followed.modes, followed.subgraphs))
        self._events = self._follow(view)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        return next(self._events)

    def close(self) -> None:
        """End the subscription; the run goes on."""
        self._events.close()

    def _follow(self, view: ModeView) -> Generator[Event]:
        followed, do, plans = self._followed, self._client.do, self._client.plans
        last: Event | int = followed.after
        while self.end is None:
            with self._subscribe(_seq(last)) as events:
                for event in events:
                    last = event
                    yield from seen(view, event)
                    if event.mode == PAUSE and do(plans.waits(followed.run_id, event.seq)):
                        self.end = _paused(view, event)
                        return
            self.end = do(_end(plans, followed.run_id, last))
        yield from followed.last(self.end)


class AsyncRunStream:
    """The events of a run, in asyncio code: as `RunStream`."""

    def __init__(
        self,
        client: AsyncTransport,
        followed: Followed,
        subscribe: Callable[[int], AbstractAsyncContextManager[Any]],
    ) -> None:
        self.end: Event | None = None
        """As `RunStream.end`."""
        self._client = client
        self._followed = followed
        self._subscribe = subscribe
        self._events = self._follow()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        return await anext(self._events)

    async def aclose(self) -> None:
        """End the subscription; the run goes on."""
        await self._events.aclose()

    async def _follow(self) -> AsyncGenerator[Event]:
        followed, do, plans = self._followed, self._client.do, self._client.plans
        view = await do(viewed(plans, followed.run_id, followed.modes, followed.subgraphs))
        last: Event | int = followed.after
        while self.end is None:
            async with self._subscribe(_seq(last)) as events:
                async for event in events:
                    last = event
                    for chunk in seen(view, event):
                        yield chunk
                    if event.mode == PAUSE and await do(plans.waits(followed.run_id, event.seq)):
                        self.end = _paused(view, event)
                        return
            self.end = await do(_end(plans, followed.run_id, last))
        for event in followed.last(self.end):
            yield event


def viewed(
    plans: RequestPlans, run_id: str, modes: Sequence[str], subgraphs: bool = False
) -> Plan[ModeView]:
    """Plan to follow a run in stream modes.

    Raises:
        RunNotFoundError: its retention is over.
    """
    run = yield from plans.info(run_id)
    config: Mapping[str, Any] = {}
    if not CONFIGURED.isdisjoint(modes):
        config = yield from plans.config(run_id)
    return ModeView(
        modes,
        entrypoint=run.entrypoint,
        subgraphs=subgraphs,
        config=config,
        thread_id=run.thread_id,
    )


def seen(view: ModeView, event: Event) -> Generator[Event]:
    """Give a fact as a view's chunks, each with the fact's place in the stream."""
    for namespace, mode, payload in view.chunks(
        event.mode, event.data, event.namespace, event.time
    ):
        yield replace(event, mode=mode, namespace=namespace, data=payload)


def resumption(plans: RequestPlans, run_id: str, last_event_id: str | None) -> Plan[int | None]:
    """Return the cursor of a reader that reconnects; None if it has seen the run's end.

    Raises:
        InvalidCursorError: the cursor is not the number of an event.
        RunNotFoundError: there is no such run.
        CursorExpiredError: the next event is no longer kept, or does not exist.
    """
    after = cursor(last_event_id)
    run = yield from plans.info(run_id)
    found, _ = yield from read(plans.keys.events(run_id), Part(after, 1))
    oldest = found[0][0] if found else None
    if after + 1 < (oldest or 0) or (oldest is None and after > 0):
        raise CursorExpiredError(run_id, after, oldest)
    is_over = run.status not in OPEN and after > 0
    if is_over and (yield from plans.last_seq(run_id)) == after:
        return None
    return after


def _seq(last: Event | int) -> int:
    return last if isinstance(last, int) else last.seq


def _paused(view: ModeView, event: Event) -> Event:
    data = {"name": view.entrypoint, "status": RunStatus.SUSPENDED.value}
    return replace(event, namespace=(), data=data)


def _end(plans: RequestPlans, run_id: str, last: Event | int) -> Plan[Event | None]:
    """Read how a run has ended; None if it goes on, because it was resumed.

    Raises:
        RunNotFoundError: its retention is over, and the stream did not say how it ended.
    """
    try:
        run = yield from plans.info(run_id)
    except RunNotFoundError:
        if isinstance(last, int) or not last.terminal:
            raise
        named = {name: last.data[name] for name in ("name", "status")}
        return replace(last, namespace=(), data=named)
    if run.status in OPEN:
        return None
    return _ended(run, _seq(last))


def _ended(run: Run, seq: int) -> Event:
    data = {"name": run.entrypoint, "status": run.status.value}
    if run.status is not RunStatus.COMPLETED:
        data["reason"] = run.reason
    ended = (run.finished_at or run.created_at).timestamp()
    return Event(seq, run.run_id, run.thread_id, TERMINAL, (), data, run.attempt, ended)
