"""Refusals: the writes that were not stored, so that what follows from them names their node."""

from __future__ import annotations

__all__ = ["Refusals"]

import threading
from collections import OrderedDict
from typing import Final

from penstock.langgraph.redis.keys import Space
from penstock.publisher.errors import CodecError

MOST: Final = 256
"""Refusals that a saver remembers; the oldest go first."""


class Refusals:
    """Errors of refused writes, by the point and the channel that they were for.

    LangGraph stores writes in the background, and often asks for the next point before it looks
    what has come of them. The value of that point is refused, too, and its error knows no node.
    """

    def __init__(self) -> None:
        self._errors: OrderedDict[tuple[Space, str, str], CodecError] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, space: Space, point_id: str, channel: str, error: CodecError) -> None:
        """Remember why a write was refused."""
        with self._lock:
            self._errors[space, point_id, channel] = error
            if len(self._errors) > MOST:
                self._errors.popitem(last=False)

    def of(self, space: Space, point_id: str, channel: str) -> CodecError | None:
        """Return why a write to a channel was refused, None if none was."""
        with self._lock:
            return self._errors.get((space, point_id, channel))
