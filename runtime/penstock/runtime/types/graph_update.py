"""An update of the state of a graph's thread, which only code of the graph can make."""

from __future__ import annotations

__all__ = ["GraphUpdate"]

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.publisher.codec.registry import register_type
from penstock.runtime.errors import ConfigurationError
from penstock.runtime.types.state import CheckpointRef, StateUpdate


@register_type
@dataclass(frozen=True, slots=True)
class GraphUpdate:
    """What a run is given that updates a state, in the place of an input."""

    __stored_name__ = "penstock.runtime.GraphUpdate"

    thread_id: str
    supersteps: Sequence[Sequence[StateUpdate]]
    checkpoint_id: str = ""
    namespace: str = ""

    @classmethod
    def of(cls, ref: CheckpointRef, supersteps: Iterable[Iterable[Any]]) -> GraphUpdate:
        """Return updates at a place of a thread; each is a `StateUpdate`, or a tuple of its fields.

        Raises:
            ConfigurationError: there is none, or a superstep has none.
        """
        given = [list(map(_update, updates)) for updates in supersteps]
        if not given or not all(given):
            raise ConfigurationError(
                "a list of supersteps has at least one, and each at least one update: give "
                "[[StateUpdate(values, as_node)], ...]."
            )
        return cls(ref.thread_id, given, ref.checkpoint_id, ref.namespace)


def _update(given: Any) -> StateUpdate:
    return given if isinstance(given, StateUpdate) else StateUpdate(*given)
