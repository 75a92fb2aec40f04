"""One event of `astream_events`, its unit, and the filter of a reader."""

from __future__ import annotations

__all__ = ["EventFilter", "Kind", "Names", "StreamEvent", "Unit"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypedDict

Kind: TypeAlias = Literal["chain", "chat_model"]

Names: TypeAlias = "Sequence[str] | None"


class StreamEvent(TypedDict):
    """One event, in LangChain's form."""

    event: str
    """`on_chain_start`, `on_chain_stream`, `on_chain_end` or `on_chat_model_stream`."""
    name: str
    run_id: str
    """The same in all events of one unit."""
    parent_ids: list[str]
    """The `run_id`s of the units around it, the root's first."""
    tags: list[str]
    metadata: dict[str, Any]
    data: dict[str, Any]
    """`input` of a start, `chunk` of a stream, `output` and `input` of an end."""


@dataclass(frozen=True, slots=True)
class Unit:
    """The subject of events: a call as a whole, its body, a step, or a streamed message."""

    kind: Kind
    name: str
    run_id: str
    parent_ids: Sequence[str]
    tags: Sequence[str]
    metadata: Mapping[str, Any]

    def event(self, what: str, data: Mapping[str, Any]) -> StreamEvent:
        """Return the event that something came of the unit: `start`, `stream` or `end`."""
        return StreamEvent(
            event=f"on_{self.kind}_{what}",
            name=self.name,
            run_id=self.run_id,
            parent_ids=list(self.parent_ids),
            tags=list(self.tags),
            metadata=dict(self.metadata),
            data=dict(data),
        )


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which units a reader wants: any, or those that one of the includes names; never an excluded.

    Types are `"chain"` and `"chat_model"`; one tag of several is enough.
    """

    include_names: Names = None
    include_types: Names = None
    include_tags: Names = None
    exclude_names: Names = None
    exclude_types: Names = None
    exclude_tags: Names = None

    def wants(self, unit: Unit) -> bool:
        """Return whether the reader wants the events of a unit."""
        includes = (self.include_names, self.include_types, self.include_tags)
        excludes = (self.exclude_names, self.exclude_types, self.exclude_tags)
        is_named = all(each is None for each in includes) or _is_among(unit, includes)
        return is_named and not _is_among(unit, excludes)


def _is_among(unit: Unit, named: tuple[Names, Names, Names]) -> bool:
    names, types, tags = named
    return (
        unit.name in (names or ())
        or unit.kind in (types or ())
        or any(tag in (tags or ()) for tag in unit.tags)
    )
