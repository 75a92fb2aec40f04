"""How an attempt ends: the content of its last write."""

from __future__ import annotations

__all__ = ["Asked", "Ending", "Finished", "HandedOver", "Suspended"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from penstock.runtime.journal.cause import Cause
from penstock.runtime.journal.fact import Fact


@dataclass(frozen=True, slots=True)
class Finished:
    """The run is over; `checkpoints` go with it, those named in `reopen` are to be done again."""

    status: Literal["completed", "failed", "cancelled"]
    fact: Fact | None
    """None at the end of a remote step, whose outcome announces the end."""
    checkpoints: Mapping[str, str] = field(default_factory=dict[str, str])
    reopen: tuple[str, ...] = ()
    reason: str = ""
    text: str = ""
    """The fact's data without its outcome, encoded; empty where it is but name and status."""
    cause: Cause | None = None
    """What it failed of."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Questions as they are stored."""

    questions: Mapping[str, str] = field(default_factory=dict[str, str])
    """Id -> encoded question."""
    schemas: Mapping[str, str] = field(default_factory=dict[str, str])
    """Id -> JSON schema of the answer, encoded, of those that have one."""
    checkpoints: Mapping[str, str] = field(default_factory=dict[str, str])
    """Which of its questions somebody asked."""


@dataclass(frozen=True, slots=True)
class Suspended:
    """The run waits: for answers, given as id -> encoded question, for a time, for remote steps.

    `schemas` has the JSON schemas of the answers, id -> JSON text, of those that have one.
    """

    fact: Fact | None
    questions: Mapping[str, str]
    wakes: float | None = None
    """When it goes on without an answer, in ms by Redis's clock."""
    schemas: Mapping[str, str] = field(default_factory=dict[str, str])
    checkpoints: Mapping[str, str] = field(default_factory=dict[str, str])
    """What goes with it."""
    remote: Sequence[str] = ()
    """The ids of the remote steps, each of which brings it back."""


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The run goes back to its queue, to the front, as if it had not been taken."""


Ending: TypeAlias = Finished | Suspended | HandedOver
