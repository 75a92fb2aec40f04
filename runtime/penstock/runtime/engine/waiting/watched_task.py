"""An asyncio task whose cancellations are counted."""

from __future__ import annotations

__all__ = ["Cancellable", "WatchedTask"]

import asyncio
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Cancellable(Protocol):
    """A step whose code a task runs."""

    def cancel_asked(self) -> None:
        """Count a request to cancel the task."""
        ...


class WatchedTask(asyncio.Task[T]):
    """An asyncio task that tells steps of a request to cancel it."""

    __slots__ = ("places",)

    places: tuple[Cancellable, ...]
    """Those of the step that it is, and of the entrypoints that its code has called."""

    def cancel(self, msg: Any = None) -> bool:
        """Ask the code to end: it may take a while to clean up, or go on in spite of it."""
        if not self.done():
            for place in self.places:
                place.cancel_asked()
        return super().cancel(msg)
