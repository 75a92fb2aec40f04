"""What "the same value" means in the tests of the codec."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

import pydantic


def assert_same(found: Any, given: Any) -> None:
    """Equal, of the same types all the way down, and in the same order where there is one."""
    assert shape(found) == shape(given)


def shape(value: Any) -> str:
    """Everything that tells a value from others: `repr`, but strict."""
    kind: Any = value.__class__
    name = f"{kind.__module__}.{kind.__qualname__}@{id(kind)}"
    if issubclass(kind, (set, frozenset)):
        return f"{name}{{{', '.join(sorted(map(shape, value)))}}}"
    if issubclass(kind, dict):
        return f"{name}{{{_shapes(part for pair in value.items() for part in pair)}}}"
    if issubclass(kind, (list, tuple, deque, pydantic.BaseModel)):
        return f"{name}[{_shapes(_parts(value))}]"
    if hasattr(kind, "__dataclass_fields__"):
        return f"{name}({_shapes(_attributes(value))})"
    return f"{name} {value!r} {getattr(value, 'fold', '')}"


def _shapes(values: Iterable[Any]) -> str:
    return ", ".join(map(shape, values))


def _parts(value: Any) -> list[Any]:
    if isinstance(value, pydantic.BaseModel):
        return [
            vars(value),
            value.model_fields_set,
            value.__pydantic_extra__,
            value.__pydantic_private__,
        ]
    return [*value, getattr(value, "maxlen", None)]


def _attributes(value: Any) -> list[Any]:
    slots: Iterable[str] = getattr(value, "__slots__", ())
    return [getattr(value, "__dict__", {}), *(getattr(value, name, "unset") for name in slots)]
