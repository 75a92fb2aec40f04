"""TypedDicts as pydantic takes them: before Python 3.12 it refuses those of `typing`."""

from __future__ import annotations

__all__ = ["for_pydantic"]

import collections.abc
import sys
import types
from collections.abc import Mapping
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    Union,
    get_args,
    get_origin,
    is_typeddict,
)

import typing_extensions

from penstock.publisher.codec.annotation import hints_of


def for_pydantic(annotation: Any, local: Mapping[str, Any]) -> Any:
    """Return an annotation with equal TypedDicts of `typing_extensions` in place of others.

    `local` has the names in annotations that only mean something where they were written.
    """
    return annotation if sys.version_info >= (3, 12) else _Conversion(local).of(annotation)


class _Conversion:
    """Converts annotations, each TypedDict once, as it may mention itself."""

    def __init__(self, local: Mapping[str, Any]) -> None:
        self._local = local
        self._made: dict[Any, Any] = {}

    def of(self, annotation: Any) -> Any:
        """Return an annotation with the TypedDicts in it converted."""
        if is_typeddict(annotation) and type(annotation).__module__ == "typing":
            return self._made.get(annotation) or self._converted(annotation)
        origin = get_origin(annotation)
        if origin is None or origin in (Literal, collections.abc.Callable):
            return annotation
        if origin is Annotated:
            return Annotated[(self.of(annotation.__origin__), *annotation.__metadata__)]
        given = get_args(annotation)
        args = tuple(map(self.of, given))
        if is_typeddict(origin):
            return self.of(origin)[args]
        if all(new is old for new, old in zip(args, given, strict=True)):
            return annotation
        if origin in (Union, types.UnionType):
            return Union[args]  # noqa: UP007 (the operator takes no tuple)
        return annotation.copy_with(args) if hasattr(annotation, "copy_with") else origin[args]

    def _converted(self, cls: Any) -> Any:
        parameters: Any = getattr(cls, "__parameters__", ())
        bases: list[Any] = [typing_extensions.TypedDict]
        if parameters:
            generic: Any = Generic
            bases.append(generic[parameters])
        found: Any = types.new_class(cls.__name__, bases, {"total": cls.__total__})
        self._made[cls] = found
        for name in ("__module__", "__qualname__", "__doc__", "__pydantic_config__"):
            if hasattr(cls, name):
                setattr(found, name, getattr(cls, name))
        hints = hints_of(cls, self._local)  # without those that name what is not defined
        found.__annotations__ = {
            name: self.of(hints.get(name, Any)) for name in cls.__annotations__
        }
        found.__required_keys__ = cls.__required_keys__
        found.__optional_keys__ = cls.__optional_keys__
        return found
