"""What a plan can ask of who follows it."""

from __future__ import annotations

__all__ = ["BODY", "Do", "Effect", "Keep", "Park", "Pause", "Plan"]

import enum
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from penstock.runtime.errors import Suspend


class Do(enum.Enum):
    """What a plan can ask for, besides a wait."""

    BODY = enum.auto()
    """Run the function; the answer is its value."""
    STORE = enum.auto()
    """Come back when everything said so far is stored."""
    SEND = enum.auto()
    """Have the step performed by workers of its queue; the answer is `Journal.send`'s."""
    FIND = enum.auto()
    """Look for the value in the cache; the answer is a tuple with it, or None."""
    UNFINISHED = enum.auto()
    """Look what earlier attempts left unfinished; the answer is `Journal.unfinished`."""
    CHILDREN = enum.auto()
    """Come back when no step of the run is running."""


BODY: Final = Do.BODY
"""The most frequent effect: to look up a member in its class takes as long as a call."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Ask for a pause, in seconds."""

    seconds: float
    is_between_tries: bool = False
    """Whether a step's next try comes after it, so that the step does nothing meanwhile."""


@dataclass(frozen=True, slots=True)
class Park:
    """Ask to wait for what `away` names, on the loop; a thread leaves the process by raising it.

    The answer is what it waits for: an outcome, or None where `seconds` are over.
    """

    away: Suspend
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Keep:
    """Ask to keep a value in the cache."""

    value: Any


Effect: TypeAlias = Do | Pause | Park | Keep
Plan: TypeAlias = Generator[Effect, Any, Any]
