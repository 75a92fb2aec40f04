"""Paths to the parts of a value that are made searchable.

`$` the whole value, `a.b` a field of a field, `a[0]` `a[-1]` `a[*]` items of a list, `*` all items
or fields, `{a,b.c}` several paths at once.
"""

from __future__ import annotations

__all__ = ["Path", "parse", "texts_at"]

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias, cast

ROOT = "$"

Step: TypeAlias = "str | int | All | list[Path]"
Path: TypeAlias = tuple[Step, ...]
"""Steps from the whole value inwards: a field, an index, all, or one of several paths."""


class All:
    """A step to all items of a list, and to all fields of a dict if `fields`."""

    def __init__(self, *, fields: bool) -> None:
        self.fields = fields


_INDEX = re.compile(r"\[(\*|-?\d+)\]")
_FIELD = re.compile(r"[^.\[\]{}]+")


def parse(text: str) -> Path:
    """Read a path.

    Raises:
        ValueError: it cannot be read.
    """
    if text in ("", ROOT):
        return ()
    steps: list[Step] = []
    at = 0
    while at < len(text):
        if text[at] == ".":
            at += 1
        step, at = _step(text, at)
        steps.append(step)
    return tuple(steps[1:] if steps[0] == ROOT else steps)


def _step(text: str, at: int) -> tuple[Step, int]:
    if text[at : at + 1] == "{":
        end = _closing(text, at)
        return [parse(part.strip()) for part in _parts(text[at + 1 : end])], end + 1
    if found := _INDEX.match(text, at):
        return All(fields=False) if found[1] == "*" else int(found[1]), found.end()
    if found := _FIELD.match(text, at):
        return All(fields=True) if found[0] == "*" else found[0], found.end()
    raise ValueError(f"the path {text!r} cannot be read from character {at + 1} on.")


def _closing(text: str, at: int) -> int:
    depth = 0
    for index in range(at, len(text)):
        depth += {"{": 1, "}": -1}.get(text[index], 0)
        if depth == 0:
            return index
    raise ValueError(f"the path {text!r} has a '{{' that is not closed.")


def _parts(group: str) -> Iterator[str]:
    depth = start = 0
    for index, character in enumerate(group):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == "," and depth == 0:
            yield group[start:index]
            start = index + 1
    yield group[start:]


def texts_at(value: Any, path: Path) -> list[str]:
    """Return the texts of all that a path leads to; none where it leads nowhere."""
    if path:
        step, rest = path[0], path[1:]
        if isinstance(step, list):
            return [text for each in step for text in texts_at(value, each + rest)]
        return [text for inner in _inside(value, step) for text in texts_at(inner, rest)]
    if value is None:
        return []
    if isinstance(value, (dict, list, tuple)):
        return [json.dumps(_with_names(value), sort_keys=True, ensure_ascii=False, default=str)]
    return [str(value)]


def _inside(value: Any, step: str | int | All) -> Iterable[Any]:
    if isinstance(value, dict):
        fields = cast("Mapping[Any, Any]", value)
        if isinstance(step, All):
            return fields.values() if step.fields else ()
        return [fields[step]] if isinstance(step, str) and step in fields else ()
    if isinstance(value, (list, tuple)):
        items = cast("list[Any]", value)
        if isinstance(step, All):
            return items
        if isinstance(step, int) and -len(items) <= step < len(items):
            return [items[step]]
    return ()


def _with_names(value: Any) -> Any:
    """Return a value with all keys as text, as only these can be sorted and are JSON."""
    if isinstance(value, dict):
        fields = cast("Mapping[Any, Any]", value)
        return {str(name): _with_names(each) for name, each in fields.items()}
    if isinstance(value, (list, tuple)):
        return [_with_names(each) for each in cast("list[Any]", value)]
    return value
