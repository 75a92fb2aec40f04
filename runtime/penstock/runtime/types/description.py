"""What workers say of an entrypoint, for those that have not its code."""

from __future__ import annotations

__all__ = ["SCHEMAS", "Description"]

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

SCHEMAS: Final = ("input", "output", "state", "config", "context")
"""What there are JSON schemas of."""


@dataclass(frozen=True, slots=True)
class Description:
    """An entrypoint or a hosted graph as its worker has described it."""

    name: str
    since: datetime | None = None
    """When the worker was started."""
    about: str = ""
    """What it does, in a line."""
    is_graph: bool = False
    takes_any_type: bool = False
    """Whether it reads whatever its state names as a class, so that a writer of it can run code."""
    schemas: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """By the names in SCHEMAS; None, or nothing, where there is none."""
    drawing: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Nodes and edges."""
    deep_drawing: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Those of the graphs in a graph, too."""
    subgraphs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    """The schemas of the graphs in a graph, by their namespace."""
