"""What several tests need to start, stop and watch runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from penstock.runtime import RedisSaver

T = TypeVar("T")


def thread(name: str = "thread", **config: Any) -> dict[str, Any]:
    """The config of a run on a thread."""
    return {"configurable": {"thread_id": name}, **config}


def asked(result: Any) -> list[Any]:
    """The questions that an invoke came back with."""
    return [interrupt.value for interrupt in result["__interrupt__"]]


def ids(result: Any) -> dict[Any, str]:
    """The ids of the questions that an invoke came back with, by question."""
    return {interrupt.value: interrupt.id for interrupt in result["__interrupt__"]}


def keys(saver: RedisSaver, pattern: str = "*") -> list[str]:
    """The keys that a saver's Redis has."""
    found: Any = saver.connection.keys(pattern)
    return [key.decode() for key in found]


class Calls:
    """Counts calls by name, from any thread."""

    def __init__(self) -> None:
        self.made: list[Any] = []
        self._lock = threading.Lock()

    def __call__(self, what: Any) -> None:
        with self._lock:
            self.made.append(what)

    def count(self, what: Any) -> int:
        return self.made.count(what)


def in_background(work: Callable[[], T]) -> Future[T]:
    """Run something in a thread of its own, without the context of the caller."""
    pool = ThreadPoolExecutor(1)
    future = pool.submit(work)
    pool.shutdown(wait=False)
    return future
