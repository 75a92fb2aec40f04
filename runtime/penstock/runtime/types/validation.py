"""Validation by pydantic, with lists for values that could be read only once."""

from __future__ import annotations

__all__ = ["Settled", "listed", "read_whole"]

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from pydantic import BaseModel, TypeAdapter

_MAKERS: Final = frozenset(("builtins", "itertools", "pydantic_core._pydantic_core"))
"""Modules whose iterators are nothing but that."""

_LAZY: Final = "generator"
"""The kind of schema behind `Iterable[...]`: its items are validated as they are read, once."""


class Settled:
    """Validates values of one annotation, items of iterables included."""

    def __init__(self, adapter: TypeAdapter[Any]) -> None:
        self._adapter = adapter
        schema: Any = self._adapter.core_schema
        self._is_lazy, self._is_any = _is_lazy(schema), schema.get("type") == "any"

    def validate(self, value: Any) -> Any:
        """Validate a value, and return the result of pydantic.

        Raises:
            ValidationError: it does not fit.
        """
        found = self._adapter.validate_python(value)
        if self._is_lazy:
            return read_whole(found)
        return listed(found) if self._is_any else found


def read_whole(value: Any) -> Any:
    """Return a value with lists in place of iterators, at any depth.

    Raises:
        ValidationError: an item does not fit.
    """
    return _Reading().of(value)


def listed(value: Any) -> Any:
    """Return a generator, or another iterator of Python's own or pydantic's, as a list."""
    given: object = value
    if type(given).__module__ in _MAKERS and isinstance(given, Iterator):
        return list(value)
    return value


def _is_lazy(schema: Any) -> bool:
    if isinstance(schema, dict):
        parts = cast("dict[str, Any]", schema)
        return parts.get("type") == _LAZY or any(map(_is_lazy, parts.values()))
    return isinstance(schema, (list, tuple)) and any(map(_is_lazy, cast("list[Any]", schema)))


class _Reading:
    """Reads what is lazy in a value; objects keep their identity."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def of(self, value: Any) -> Any:
        """Return a value, with lists for iterators."""
        found = listed(value)
        if isinstance(found, (list, tuple, set, frozenset, dict)):
            return self._container(found)
        if (isinstance(found, BaseModel) or dataclasses.is_dataclass(found)) and not isinstance(
            found, type
        ):
            self._object(found)
        return found

    def _container(self, value: Any) -> Any:
        shape: object = value
        if type(shape) is dict:
            given: dict[Any, Any] = value
            read = {key: self.of(item) for key, item in given.items()}
            return read if self._differ(read, given) else given
        items = [self.of(item) for item in value]
        if all(new is old for new, old in zip(items, value, strict=True)):
            return value
        return value._make(items) if hasattr(value, "_make") else type(value)(items)

    def _object(self, value: Any) -> None:
        if id(value) in self._seen:
            return
        self._seen.add(id(value))
        inside = getattr(value, "__dict__", None)
        names = inside or [field.name for field in dataclasses.fields(value)]
        for name in list(names):
            old = getattr(value, name, None)
            new = self.of(old)
            if new is old:
                continue
            if inside is not None:
                inside[name] = new
            else:
                object.__setattr__(value, name, new)

    @staticmethod
    def _differ(read: Mapping[Any, Any], given: Mapping[Any, Any]) -> bool:
        return any(read[key] is not given[key] for key in given)
