"""How often an address may send a wrong key."""

from __future__ import annotations

__all__ = ["WrongKeys"]

from collections import OrderedDict
from typing import Final

MOST: Final = 10
"""Wrong keys of one address in a period."""

PERIOD: Final = 60.0
"""Seconds."""

REMEMBERED: Final = 10_000
"""Addresses; the one that was wrong longest ago is forgotten for a new one."""


class WrongKeys:
    """Counts the wrong keys of each address, in this process; times are passed in."""

    def __init__(self) -> None:
        self._counts: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def wait(self, address: str, now: float) -> float:
        """Return for how many seconds an address may try no other key; 0 if it may."""
        since, count = self._counts.get(address, (now, 0))
        return max(since + PERIOD - now, 0.0) if count >= MOST else 0.0

    def add(self, address: str, now: float) -> None:
        """Count a wrong key."""
        since, count = self._counts.pop(address, (now, 0))
        self._counts[address] = (now, 1) if now >= since + PERIOD else (since, count + 1)
        if len(self._counts) > REMEMBERED:
            self._counts.popitem(last=False)
