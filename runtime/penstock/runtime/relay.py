"""Facts of a run on their way to who streams it, on the loop."""

from __future__ import annotations

__all__ = ["END", "Relay"]

import asyncio
import threading
from typing import Any, Final

from penstock.runtime.journal import Fact

END: Final = object()
"""Comes after the last fact."""


class Relay:
    """Takes facts from any thread to a queue of the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, facts: asyncio.Queue[Any]) -> None:
        self._loop = loop
        self._facts = facts
        self._thread = threading.get_ident()

    def __call__(self, fact: Fact) -> None:
        """Pass a fact on."""
        if threading.get_ident() == self._thread:
            self._facts.put_nowait(fact)
        else:
            self._loop.call_soon_threadsafe(self._facts.put_nowait, fact)

    def end(self) -> None:
        """Let the reader see that nothing more comes, after what other threads still relay."""
        self._loop.call_soon(self._facts.put_nowait, END)
