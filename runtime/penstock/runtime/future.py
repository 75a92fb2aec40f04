"""What calling a task returns: the outcome of a step, now or later."""

from __future__ import annotations

__all__ = ["StepFuture"]

import asyncio
import concurrent.futures
from collections.abc import Callable, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class StepFuture(concurrent.futures.Future[T], Generic[T]):
    """The outcome of a step: `.result()` in sync code, `await` in async code.

    In sync code this class itself, good for `concurrent.futures.wait` and `as_completed`. In async
    code the call returns the asyncio future of the running loop, which the same type stands for.
    """

    def __init__(self, help_out: Callable[[], None] | None = None) -> None:
        super().__init__()
        self._help_out = help_out

    def result(self, timeout: float | None = None) -> T:
        """Return the step's value or raise its error; runs the step here if nobody has begun it.

        Raises:
            TimeoutError: it took longer than `timeout` seconds.
        """
        if self._help_out is not None and timeout is None and not self.done():
            self._help_out()
        return super().result(timeout)

    def __await__(self) -> Generator[Any, None, T]:
        return asyncio.wrap_future(self).__await__()
