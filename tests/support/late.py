"""Cancels that come late: what another thread tells a loop to cancel is held back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any


class LateCancels:
    """Holds back what threads give to the running loop to cancel something, until it is let go."""

    def __init__(self) -> None:
        self._loop: Any = asyncio.get_running_loop()
        self._soon = self._loop.call_soon_threadsafe
        self._held: list[Callable[[], object]] = []

    def __bool__(self) -> bool:
        return bool(self._held)

    def hold(self) -> None:
        self._loop.call_soon_threadsafe = self._call

    def let_go(self) -> None:
        self._loop.call_soon_threadsafe = self._soon
        for callback in self._held:
            callback()

    def _call(self, callback: Callable[..., object], *args: object, **options: Any) -> Any:
        if "cancel" in repr(callback):
            return self._held.append(partial(callback, *args))
        return self._soon(callback, *args, **options)
