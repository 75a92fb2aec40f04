"""Bounds how many different values a label gets."""

from __future__ import annotations

__all__ = ["MOST", "OTHER", "LabelNames"]

from typing import Final

MOST: Final = 500
"""Different values of one label in a process."""

OTHER: Final = "other"


class LabelNames:
    """The values that a label has had; once they are too many, new ones are `other`.

    Names of tasks come from code and should be few, but a name may be built for each call, and each
    time series costs memory here and in Prometheus.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: set[str] = set()

    def of(self, name: str) -> str:
        """Return the name, or `other`."""
        if name in self._known:
            return name
        if len(self._known) >= self._most:
            return OTHER
        self._known.add(name)
        return name
