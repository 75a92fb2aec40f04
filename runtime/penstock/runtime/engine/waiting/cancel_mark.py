"""What a run records of a step that its caller has cancelled."""

from __future__ import annotations

__all__ = ["CancelMark"]

from typing import Final, NamedTuple, Self

_START: Final = "x"


class CancelMark(NamedTuple):
    """That a try of a caller's code has cancelled a step that had begun."""

    tries: int
    """Which try of the caller's code."""
    requests: int = 0
    """How often it had asked for it until the step ended; 0 where it ended at the first."""
    stamp: str = ""
    """The stamp of its end, "" where it ended before anything else became known."""

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Read a mark; None for a text that is another."""
        if not text.startswith(_START):
            return None
        tries, _, end = text[1:].partition(":")
        requests, _, stamp = end.partition(":")
        return cls(int(tries), int(requests or 0), stamp)

    @property
    def prefix(self) -> str:
        """What is recorded before the stamp."""
        return f"{_START}{self.tries}:{self.requests}:"

    def __str__(self) -> str:
        return f"{self.prefix}{self.stamp}" if self.stamp else f"{_START}{self.tries}"
