"""The inputs of one attempt."""

from __future__ import annotations

__all__ = ["Assignment"]

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.runtime.journal.position import Position
from penstock.runtime.types.cache import Cache


@dataclass(frozen=True, slots=True)
class Assignment:
    """Inputs of one attempt: run, thread, number of the attempt, config, store and cache."""

    run_id: str
    thread_id: str
    entrypoint: str
    number: int = 1
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    previous: Any = None
    context: Any = None
    store: Any = None
    cache: Cache | None = None
    position: Position | None = None
    """Where the run stands in its thread's history; None if nothing is kept."""
    step_id: str = ""
    """The step of the run that alone is to be performed, for another attempt; "" for the run."""
