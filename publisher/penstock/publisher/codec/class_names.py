"""Class names: those of the records and enums in a tree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["classes_in"]


def classes_in(tree: Any) -> Iterator[tuple[str, Mapping[str, Any] | None]]:
    """Give the name of each class, with the fields of a record, and None for an enum."""
    todo: list[Any] = [tree]
    while todo:
        inside = todo.pop()
        part: object = inside
        if isinstance(part, list):
            todo += inside
        elif isinstance(part, dict):
            if "~enum" in inside:
                yield inside["~enum"][0], None
            elif "~record" in inside:
                name, fields, *more = inside["~record"]
                yield name, fields
                todo += _values_of(fields, *more)
            else:
                todo += inside.values()


def _values_of(fields: dict[str, Any], more: Mapping[str, Any] | None = None) -> Iterator[Any]:
    """Give the trees in a record; its own names may look like tags."""
    for members in (fields, *(more or {}).values()):
        yield from members.values() if isinstance(members, dict) else ()
