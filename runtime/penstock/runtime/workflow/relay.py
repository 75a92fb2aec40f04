"""Relays facts to the reader of a stream, while the work that emits them goes on."""

from __future__ import annotations

__all__ = ["AsyncRelay", "Relay"]

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, wait
from contextvars import copy_context
from typing import Any, Final, Generic, TypeVar

from penstock.runtime.concurrency.patient_pool import start
from penstock.runtime.engine.waiting.parking import muted
from penstock.runtime.journal.fact import Fact, Listener

T = TypeVar("T")

_END: Final = object()
"""Comes after the last fact."""


class Relay(Generic[T]):
    """The facts that some work emits, as they come.

    The work has a thread of that name, and comes to its end even if the reader leaves. Without a
    name it is done in the reader's thread, before the first fact comes.
    """

    def __init__(self, work: Callable[[Listener], T], thread: str | None) -> None:
        self._work = work
        self._thread = thread
        self._facts: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._done: Future[T] = Future()

    def __enter__(self) -> Relay[T]:
        if self._thread is None:
            self._run()
        else:
            context, run = copy_context(), self._run
            start(threading.Thread(target=context.run, args=(run,), name=self._thread, daemon=True))
        return self

    def __exit__(self, *error: object) -> None:
        wait([self._done])

    def __iter__(self) -> Iterator[Fact]:
        return iter(self._facts.get, _END)

    def result(self) -> T:
        """Return what the work has returned, or raise what it raised."""
        return self._done.result()

    def _run(self) -> None:
        try:
            self._done.set_result(self._work(self._facts.put))
        except BaseException as error:
            self._done.set_exception(error)
        self._facts.put(_END)


class AsyncRelay(Generic[T]):
    """As `Relay`, of an asyncio task that is begun here; it is cancelled if the reader leaves.

    No generator: a loop that ends closes all generators at once, those that others read too.
    """

    def __init__(self, begin: Callable[[Listener], asyncio.Task[T]]) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._facts: asyncio.Queue[Any] = asyncio.Queue()
        self._task = begin(self._listen)

    async def __aenter__(self) -> AsyncRelay[T]:
        self._task.add_done_callback(self._end)
        return self

    async def __aexit__(self, *error: object) -> None:
        self._task.cancel()
        with muted():
            await asyncio.gather(self._task, return_exceptions=True)

    def __aiter__(self) -> AsyncIterator[Fact]:
        return self

    async def __anext__(self) -> Fact:
        with muted():
            fact = await self._facts.get()
        if not isinstance(fact, Fact):
            raise StopAsyncIteration
        return fact

    def result(self) -> T:
        """Return what the task has returned, or raise what it raised."""
        return self._task.result()

    def _listen(self, fact: Fact) -> None:
        if threading.get_ident() == self._thread:
            self._facts.put_nowait(fact)
        else:
            self._loop.call_soon_threadsafe(self._facts.put_nowait, fact)

    def _end(self, _: object) -> None:
        """End the reader's stream, after the facts that other threads still relay."""
        self._loop.call_soon(self._facts.put_nowait, _END)
