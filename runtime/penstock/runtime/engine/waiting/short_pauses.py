"""The pauses that an attempt spends in its process, each of which may end early."""

from __future__ import annotations

__all__ = ["ShortPauses", "is_pausing"]

import asyncio
import threading
from collections.abc import Callable
from contextvars import Context, ContextVar
from typing import Final

_pausing: Final = ContextVar("penstock_pausing", default=False)


def is_pausing(context: Context | None) -> bool:
    """Tell whether code, or what has a context, is in a pause of the engine's own."""
    return _pausing.get() if context is None else context.get(_pausing, False)


class ShortPauses:
    """Pauses that end when their time is over, or once there is a reason to end them before."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._on_loop: dict[asyncio.Timeout, Callable[[], bool]] = {}

    def wait(self, seconds: float, ends_early: Callable[[], bool]) -> None:
        """Pause the calling thread."""
        with self._changed:
            self._changed.wait_for(ends_early, seconds)

    async def await_(self, seconds: float, ends_early: Callable[[], bool]) -> None:
        """Pause the calling asyncio task."""
        if ends_early():
            return
        limit, token = asyncio.timeout(None), _pausing.set(True)
        try:
            async with limit:
                self._on_loop[limit] = ends_early
                await asyncio.sleep(seconds)
        except TimeoutError:
            return
        finally:
            _pausing.reset(token)
            self._on_loop.pop(limit, None)

    def look_again(self) -> None:
        """End the pauses of threads that there is a reason to end now; from any thread."""
        with self._changed:
            self._changed.notify_all()

    def look_again_on_loop(self) -> None:
        """As `look_again`, for the pauses of asyncio tasks; call it on their loop."""
        for limit, ends_early in tuple(self._on_loop.items()):
            if ends_early():
                del self._on_loop[limit]
                limit.reschedule(asyncio.get_running_loop().time())
