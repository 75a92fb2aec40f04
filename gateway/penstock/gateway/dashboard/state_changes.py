"""What changed between two states of a thread."""

from __future__ import annotations

__all__ = ["Change", "state_changes"]

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from penstock.runtime.diagnostics.plain import plain

MOST: Final = 20
"""Changes of one state that a page shows."""


@dataclass(frozen=True, slots=True)
class Change:
    """One value that is new, that is another, or that is gone."""

    kind: Literal["new", "changed", "gone"]
    place: str
    """Where it is, as `order.items[2]`; empty for all of the state."""
    before: Any = None
    after: Any = None


def state_changes(before: Any, after: Any) -> list[Change]:
    """Compare a state with the one before it, as JSON; an item behind the end of a list is new."""
    return list(_changes(plain(before), plain(after), ""))


def _changes(before: Any, after: Any, place: str) -> Iterator[Change]:
    if type(before) is not type(after):
        yield Change("changed", place, before, after)
    elif isinstance(before, dict):
        yield from _of_objects(cast(Any, before), after, place)
    elif isinstance(before, list):
        yield from _of_lists(cast(Any, before), after, place)
    elif before != after:
        yield Change("changed", place, before, after)


def _of_objects(
    before: Mapping[str, Any], after: Mapping[str, Any], place: str
) -> Iterator[Change]:
    for name in (*before, *(each for each in after if each not in before)):
        inner = f"{place}.{name}" if place else name
        if name not in after:
            yield Change("gone", inner, before=before[name])
        elif name not in before:
            yield Change("new", inner, after=after[name])
        else:
            yield from _changes(before[name], after[name], inner)


def _of_lists(before: Sequence[Any], after: Sequence[Any], place: str) -> Iterator[Change]:
    common = min(len(before), len(after))
    for at in range(common):
        yield from _changes(before[at], after[at], f"{place}[{at}]")
    for at in range(common, len(after)):
        yield Change("new", f"{place}[{at}]", after=after[at])
    for at in range(common, len(before)):
        yield Change("gone", f"{place}[{at}]", before=before[at])
