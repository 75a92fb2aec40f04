"""When something became known to the code of a scope, as a run records it."""

from __future__ import annotations

__all__ = ["FIRST", "MARK", "Stamp"]

from typing import Final, NamedTuple

MARK: Final = "~"
"""What no part of a stamp holds but that which names timers."""


class Stamp(NamedTuple):
    """When something became known, as it is recorded; earlier stamps are less."""

    attempt: int
    """Grows with each attempt, and with each try of the body in one."""
    number: int
    """Counts what became known there, from 0."""
    calls: int
    """How often the code had gone on by then: calls, questions, sleeps, and what came of itself."""
    timers: str = ""
    """Which timers of the code's own were over since the stamp before."""

    @classmethod
    def read(cls, text: str) -> Stamp:
        """Read a stamp."""
        attempt, number, calls, *more = text.split(".")
        timers = next((part for part in more if MARK in part), "")
        return cls(int(attempt), int(number), int(calls), timers)

    def __str__(self) -> str:
        timers = f".{self.timers}" if self.timers else ""
        return f"{self.attempt}.{self.number}.{self.calls}{timers}"


FIRST: Final = Stamp(0, 0, 0)
"""Where nothing else was under way, nothing is recorded: any place will do."""
