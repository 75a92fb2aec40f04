"""The parts of an answer that a request asks for."""

from __future__ import annotations

__all__ = ["extracted", "selected"]

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from penstock.gateway.errors import RequestError

_STEP: Final = re.compile(r"\.?([^.\[\]]+)|\[(-?\d{1,9}|\*)\]")


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


def extracted(shown: Mapping[str, Any], paths: Mapping[str, str]) -> dict[str, Any]:
    """Return what stands at paths such as `values.messages[-1].content`; null for nothing.

    Raises:
        RequestError: a path has another form.
    """
    return {name: _at(shown, path) for name, path in paths.items()}


def _at(value: Any, path: str) -> Any:
    if re.sub(_STEP, "", path):
        raise RequestError(422, f"extract: {path!r} is no path as values.messages[-1].content is.")
    for match in _STEP.finditer(path):
        name, number = match.groups()
        if name is not None:
            is_object = isinstance(value, Mapping)
            value = cast("Mapping[str, Any]", value).get(name) if is_object else None
            continue
        items = cast("Sequence[Any]", value if isinstance(value, list) else ())
        if number == "*":
            rest = path[match.end() :].lstrip(".")
            return [_at(each, rest) if rest else each for each in items]
        at = int(number)
        value = items[at] if -len(items) <= at < len(items) else None
    return value
