"""The subscribers of one run inside of one event loop."""

from __future__ import annotations

__all__ = ["Channel", "Subscriber"]

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from copy import copy
from typing import Self

from penstock.publisher.batch import Frame, Page
from penstock.publisher.errors import PenstockError
from penstock.publisher.event import Event
from penstock.publisher.stored import Part
from penstock.publisher.tail import Tail

BUFFER = 2 * 1024 * 1024
"""Bytes of frames kept for a slow subscriber; beyond that, it reads the stored events."""

Read = Callable[[str, Part], Awaitable[Page]]


class Channel:
    """A run's subscribers; `live` while Redis has confirmed the subscription."""

    __slots__ = ("live", "received_at", "run_id", "subscribers")

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.live = False
        self.received_at = 0.0
        self.subscribers: set[Subscriber] = set()

    def offer(self, message: bytes, now: float) -> None:
        """Hand a message to every subscriber; none of them can refuse or delay it."""
        self.received_at = now
        frame = Frame(message)
        for subscriber in self.subscribers:
            subscriber.offer(frame)

    def fall_behind(self, now: float) -> None:
        """Make every subscriber read the stored stream: messages may have been lost."""
        self.received_at = now
        for subscriber in self.subscribers:
            subscriber.fall_behind()

    def fail(self, error: PenstockError) -> None:
        """End every subscriber that would have to wait."""
        for subscriber in self.subscribers:
            subscriber.fail(error)


class Subscriber:
    """The iterator of one subscription: a tail, and the frames it has not taken yet.

    Cancelling a wait for an event loses nothing: the next one goes on from there.
    """

    __slots__ = (
        "_buffer",
        "_channel",
        "_failure",
        "_read",
        "_ready",
        "_tail",
        "_timeout",
        "_wake",
        "_weight",
    )

    def __init__(self, channel: Channel, tail: Tail, read: Read, timeout: float | None) -> None:
        self._channel = channel
        self._tail = tail
        self._read = read
        self._timeout = timeout
        self._buffer: deque[Frame] = deque()
        self._weight = 0
        self._wake = asyncio.Event()
        self._ready: Iterator[Event] = iter(())
        self._failure: PenstockError | None = None

    @property
    def weight(self) -> int:
        """Bytes of the frames it has not taken."""
        return self._weight

    def offer(self, frame: Frame) -> None:
        """Take a frame into the buffer, or fall behind where it does not fit."""
        if self._tail.behind or self._tail.ended:
            return
        if self._buffer and self._weight + frame.weight > BUFFER:
            self.fall_behind()
            return
        self._buffer.append(frame)
        self._weight += frame.weight
        self._wake.set()

    def fall_behind(self) -> None:
        """Forget the frames; the next events are read from the stored list."""
        self._buffer.clear()
        self._weight = 0
        self._tail.behind = True
        self._wake.set()

    def fail(self, error: PenstockError) -> None:
        """Raise the error once there is nothing else to give."""
        self._failure = error
        self._wake.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        for event in self._ready:
            return event
        try:
            async with asyncio.timeout(self._timeout):
                self._ready = iter(await self._more())
        except TimeoutError:
            run_id = self._channel.run_id
            raise TimeoutError(f"no event of run {run_id!r} for {self._timeout} s") from None
        for event in self._ready:
            return event
        raise StopAsyncIteration

    async def _more(self) -> Sequence[Event]:
        events: Sequence[Event] = ()
        while not events and not self._tail.ended:
            if self._tail.behind and self._channel.live:
                events = await self._stored()
            elif self._buffer and not self._tail.behind:
                frame = self._buffer.popleft()
                self._weight -= frame.weight
                events = self._tail.frame(frame)
            elif self._failure is not None:
                raise copy(self._failure)
            else:
                self._wake.clear()
                await self._wake.wait()
        return events

    async def _stored(self) -> Sequence[Event]:
        part = self._tail.ask()
        try:
            page = await self._read(self._channel.run_id, part)
        except BaseException:
            self._tail.behind = True
            raise
        return self._tail.stored(page, part.count)
