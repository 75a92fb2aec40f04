"""The parts of an answer that a request asks for."""

from __future__ import annotations

__all__ = ["Step", "extracted", "read_path", "selected"]

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias, cast

from penstock.gateway.errors import RequestError

Step: TypeAlias = str | int | slice
"""The name of a member, the number of an element, or all elements."""

_STEP: Final = re.compile(r"\.?([^.\[\]]+)|\[(-?\d{1,9}|\*)\]")

_EACH: Final = slice(None)


def selected(
    shown: Mapping[str, Any], fields: Sequence[str] | None, *, inner: str = ""
) -> dict[str, Any]:
    """Return some fields of an answer, all without a choice; of `inner` its members may be chosen.

    Raises:
        RequestError: there is no such field.
    """
    if not fields:
        return dict(shown)
    found: dict[str, Any] = {}
    for field in fields:
        name, dot, member = field.partition(".")
        if dot and name == inner:
            values: Any = shown[name]
            part = found.setdefault(name, {})
            if isinstance(values, Mapping) and member in values and isinstance(part, dict):
                part[member] = cast("Mapping[str, Any]", values)[member]
        elif field in shown:
            found[field] = shown[field]
        else:
            raise RequestError(422, f"select: no field {field!r}; there are {', '.join(shown)}.")
    return found


def read_path(path: str) -> Sequence[Step]:
    """Read a path such as `values.messages[-1].content`.

    Raises:
        RequestError: it has another form.
    """
    if re.sub(_STEP, "", path):
        raise RequestError(422, f"extract: {path!r} is no path as values.messages[-1].content is.")
    return [_step(*match.groups()) for match in _STEP.finditer(path)]


def _step(name: str | None, number: str) -> Step:
    if name is not None:
        return name
    return _EACH if number == "*" else int(number)


def extracted(shown: Mapping[str, Any], paths: Mapping[str, Sequence[Step]]) -> dict[str, Any]:
    """Return what stands at some paths; null for nothing."""
    return {name: _at(shown, path) for name, path in paths.items()}


def _at(value: Any, path: Sequence[Step]) -> Any:
    for number, step in enumerate(path, 1):
        if isinstance(step, str):
            is_object = isinstance(value, Mapping)
            value = cast("Mapping[str, Any]", value).get(step) if is_object else None
            continue
        items = cast("Sequence[Any]", value if isinstance(value, list) else ())
        if isinstance(step, slice):
            return [_at(each, path[number:]) for each in items]
        value = items[step] if -len(items) <= step < len(items) else None
    return value
