"""What an order asks about the run around it."""

from __future__ import annotations

__all__ = ["Silence", "Surroundings"]

import asyncio
from collections.abc import Iterable
from typing import Any, Protocol

from penstock.runtime.engine.waiting.own_timers import TimerName
from penstock.runtime.engine.waiting.stamp import Stamp


class Silence(Protocol):
    """What tells which ends of steps let no code go on."""

    def wakes_nobody(self, future: asyncio.Future[Any], /) -> bool:
        """Tell whether no code goes on as a step ends well; counts it as ended."""
        ...


class Surroundings(Protocol):
    """What an order asks about the run that it belongs to."""

    loop: asyncio.AbstractEventLoop
    number: int
    """That of the attempt; it grows with each claim of the run."""

    def gathered(self) -> Silence:
        """Return what tells for one scope which ends of steps let no code go on."""
        ...

    def is_ready(self, scope: Any) -> bool | None:
        """Tell whether code of a scope is about to run; None where nothing tells."""
        ...

    def is_busy_outside(self, scope: Any) -> bool:
        """Tell whether a scope waits for what no record tells of: its own timers and sockets."""
        ...

    def is_io_pending(self, scope: Any) -> bool:
        """Tell whether a scope waits for threads and sockets of its own, which have no order."""
        ...

    def past_timers(self, scope: Any) -> Iterable[tuple[Stamp, TimerName]]:
        """Return the timers of a scope that were over in earlier attempts, and when."""
        ...

    def is_at_work(self, step_id: str) -> bool:
        """Tell whether a step can go on by itself, or waits for what comes from outside."""
        ...

    def is_at_work_below(self, scope: Any) -> bool:
        """Tell whether a step that the scope has called is at work."""
        ...
