"""An update of the state of a graph's thread, which only code of the graph can make."""

from __future__ import annotations

__all__ = ["GraphUpdate"]

from dataclasses import dataclass
from typing import Any

from penstock.publisher.codec.registry import register_type
from penstock.runtime.types.state import CheckpointRef


@register_type
@dataclass(frozen=True, slots=True)
class GraphUpdate:
    """What a run is given that updates a state, in the place of an input."""

    __stored_name__ = "penstock.runtime.GraphUpdate"

    thread_id: str
    values: Any
    as_node: str | None = None
    checkpoint_id: str = ""
    namespace: str = ""

    @classmethod
    def of(cls, ref: CheckpointRef, values: Any, as_node: str | None) -> GraphUpdate:
        """Return an update at a place of a thread."""
        return cls(ref.thread_id, values, as_node, ref.checkpoint_id, ref.namespace)
