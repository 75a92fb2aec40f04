"""When something became known to the code of a scope, as a run records it."""

from __future__ import annotations

__all__ = ["FIRST", "Stamp"]

from typing import Final, NamedTuple


class Stamp(NamedTuple):
    """When something became known, as it is recorded; earlier stamps are less."""

    attempt: int
    """Grows with each attempt, and with each try of the body in one."""
    number: int
    """Counts what became known there, from 0."""
    calls: int
    """How often the code had gone on by then: calls, questions, sleeps, and timers of its own."""

    @classmethod
    def read(cls, text: str) -> Stamp:
        """Read a stamp."""
        attempt, number, calls = text.split(".")[:3]
        return cls(int(attempt), int(number), int(calls))

    def __str__(self) -> str:
        return f"{self.attempt}.{self.number}.{self.calls}"


FIRST: Final = Stamp(0, 0, 0)
"""Where nothing else was under way, nothing is recorded: any place will do."""
