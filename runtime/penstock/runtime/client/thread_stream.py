"""The streams of all runs of a thread, one after the other."""

from __future__ import annotations

__all__ = ["AsyncThreadStream", "ThreadStream"]

from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import aclosing, closing
from typing import Self

from penstock.publisher.errors import CursorExpiredError
from penstock.publisher.event import Event
from penstock.publisher.stored import event_of
from penstock.runtime.client.feed import AsyncFeed, Feed
from penstock.runtime.client.run import AsyncRunHandle, RunHandle
from penstock.runtime.client.thread_place import ThreadPlace
from penstock.runtime.client.transport import AsyncTransport, Transport
from penstock.runtime.errors import RunNotFoundError
from penstock.runtime.redis.keys import thread_key
from penstock.runtime.redis.plans.requests import Plan, Reads, RequestPlans
from penstock.runtime.streaming.mode_view import check_modes
from penstock.runtime.types.feed_entry import feed_filter
from penstock.runtime.types.run import OPEN


class _Reading:
    """The data of both kinds of stream."""

    def __init__(self, thread_id: str, modes: str | Sequence[str], after: str | None) -> None:
        check_modes(modes)
        self._thread_id = thread_id
        self._modes = modes
        self._wanted = feed_filter(thread=thread_id)
        self._place = ThreadPlace() if after is None else ThreadPlace.of(after)
        # As it is if a reader ended before it had begun.
        self._is_new = self._place.feed is None


class ThreadStream(_Reading):
    """The events of a thread's runs, in synchronous code: an iterator that waits for the next."""

    def __init__(
        self,
        client: Transport,
        thread_id: str,
        modes: str | Sequence[str],
        after: str | None,
        subgraphs: bool,
    ) -> None:
        super().__init__(thread_id, modes, after)
        self._client = client
        self._subgraphs = subgraphs
        self._feed = Feed(client, self._wanted, self._place.feed)
        if self._is_new:
            self._place.begin(client.do(open_runs(client.plans, thread_id)))
        self._events = self._follow()

    @property
    def cursor(self) -> str:
        """Where to go on: `stream(after=stream.cursor)` begins behind the last event that came."""
        return self._place.cursor(self._feed.cursor)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        return next(self._events)

    def close(self) -> None:
        """End the subscription; the runs go on."""
        self._events.close()

    def _follow(self) -> Generator[Event]:
        place = self._place
        while place.ahead:
            yield from self._run()
        for entry in self._feed:
            if place.takes(entry):
                yield from self._run()
            place.passed(entry)

    def _run(self) -> Generator[Event]:
        place, run_id = self._place, self._place.ahead[0]
        run = RunHandle(self._client, run_id, self._thread_id)
        after = place.seen[run_id]
        try:
            stream = run.stream(self._modes, after=after, subgraphs=self._subgraphs)
            with closing(stream):
                for event in stream:
                    place.read(event.seq)
                    yield event
        except (RunNotFoundError, CursorExpiredError):
            place.skip()
            raise
        place.leave(stream.end)


class AsyncThreadStream(_Reading):
    """The events of a thread's runs, in asyncio code: as `ThreadStream`."""

    def __init__(
        self,
        client: AsyncTransport,
        thread_id: str,
        modes: str | Sequence[str],
        after: str | None,
        subgraphs: bool,
    ) -> None:
        super().__init__(thread_id, modes, after)
        self._client = client
        self._subgraphs = subgraphs
        self._feed = AsyncFeed(client, self._wanted, self._place.feed)
        self._events = self._follow()

    @property
    def cursor(self) -> str:
        """As `ThreadStream.cursor`; it is known once an event was asked for."""
        return self._place.cursor(self._feed.cursor)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        return await anext(self._events)

    async def aclose(self) -> None:
        """End the subscription; the runs go on."""
        await self._events.aclose()

    async def _follow(self) -> AsyncGenerator[Event]:
        place = self._place
        await self._feed.begin()
        if self._is_new:
            place.begin(await self._client.do(open_runs(self._client.plans, self._thread_id)))
        while place.ahead:
            async with aclosing(self._run()) as events:
                async for event in events:
                    yield event
        async for entry in self._feed:
            if place.takes(entry):
                async with aclosing(self._run()) as events:
                    async for event in events:
                        yield event
            place.passed(entry)

    async def _run(self) -> AsyncGenerator[Event]:
        place, run_id = self._place, self._place.ahead[0]
        run = AsyncRunHandle(self._client, run_id, self._thread_id)
        after = place.seen[run_id]
        try:
            stream = run.stream(self._modes, after=after, subgraphs=self._subgraphs)
            async with aclosing(stream):
                async for event in stream:
                    place.read(event.seq)
                    yield event
        except (RunNotFoundError, CursorExpiredError):
            place.skip()
            raise
        place.leave(stream.end)


def open_runs(plans: RequestPlans, thread_id: str) -> Plan[dict[str, int]]:
    """Read the open runs of a thread, in their order, each with the seq of its newest event."""
    at = yield from plans.last_run(thread_id)
    waiting = yield ("LRANGE", plans.keys.waiting(thread_key(thread_id)), 0, -1)
    ids = [*([] if at is None else [at]), *(each.decode() for each in waiting)]
    if not ids:
        return {}
    found = yield Reads(
        [
            command
            for run_id in ids
            for command in (
                ("HGET", plans.keys.run(run_id), "status"),
                ("LINDEX", plans.keys.events(run_id), -1),
            )
        ]
    )
    return {
        run_id: event_of(event)[0] if event else 0
        for run_id, status, event in zip(ids, found[::2], found[1::2], strict=True)
        if status is not None and status.decode() in OPEN
    }
