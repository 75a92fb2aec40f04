"""Fingerprint: a text that distinguishes two classes of one name, the same in every process.

It is made of the fields of a class and of the code of its methods with what they have captured.
Two classes with the same one were made by the same lines: either may stand for the other.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Iterable, Iterator
from enum import Enum
from functools import cached_property
from hashlib import blake2b
from types import CodeType, FunctionType
from typing import Any, Final, cast, get_args, get_origin
from weakref import WeakKeyDictionary

from pydantic import BaseModel

from penstock.publisher.codec.naming import name_of, plain_text

__all__ = ["fingerprint", "is_reachable"]

_OTHERS: Final = frozenset(("abc", "builtins", "collections", "enum", "pydantic", "typing"))
"""Packages whose classes are identified by their names."""

_EMPTY: Final = "?"
"""Stands for a captured variable that has no value yet."""


class _Fingerprints:
    """Makes fingerprints, and remembers those of classes that are complete, as long as they live.

    One is made of all that a class consists of, and asked for with each error and each value of a
    class that shares its name.
    """

    def __init__(self) -> None:
        self._made: WeakKeyDictionary[type, str] = WeakKeyDictionary()

    def __call__(self, cls: type) -> str:
        """Return the fingerprint of a class."""
        found = self._made.get(cls)
        if found is None:
            parts = list(_parts(cls, set()))
            text = "\0".join(parts).encode("utf-8", "replace")
            found = blake2b(text, digest_size=4).hexdigest()
            if _EMPTY not in parts and getattr(cls, "__pydantic_complete__", True):
                self._made[cls] = found
        return found


fingerprint: Final = _Fingerprints()
"""Returns the fingerprint of a class."""


def is_reachable(cls: type) -> bool:
    """Whether a class is what its module has under its name, and is not shadowed by another."""
    found: Any = sys.modules.get(cls.__module__)
    for part in cls.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is cls


def _parts(cls: type, seen: set[type]) -> Iterator[str]:
    yield name_of(cls)
    if cls in seen or cls.__module__.partition(".")[0] in _OTHERS:
        return
    seen.add(cls)
    yield from _fields(cls)
    yield from _methods(cls)
    for each in (*cls.__mro__[1:], *_mentioned(_annotations(cls))):
        yield from _parts(each, seen)


def _annotations(cls: Any) -> list[Any]:
    if issubclass(cls, BaseModel):
        fields = [field.annotation for field in cls.model_fields.values()]
        return [*fields, *cls.__pydantic_generic_metadata__["args"]]
    return list(inspect.get_annotations(cls).values())


def _mentioned(annotations: Iterable[Any]) -> Iterator[type]:
    for annotation in annotations:
        if isinstance(annotation, type) and get_origin(annotation) is None:
            yield annotation
        else:
            yield from _mentioned(get_args(annotation))


def _fields(cls: Any) -> Iterator[str]:
    if issubclass(cls, Enum):
        yield from (f"{name}={plain_text(each.value)}" for name, each in cls.__members__.items())
    elif issubclass(cls, BaseModel):
        yield from (f"{name}:{plain_text(each)}" for name, each in cls.model_fields.items())
    elif hasattr(cls, "__dataclass_fields__"):
        for each in dataclasses.fields(cls):
            yield f"{each.name}:{plain_text(each.type)}={plain_text(each.default)}"
    else:
        yield plain_text((getattr(cls, "_fields", ()), inspect.get_annotations(cls)))


def _methods(cls: type) -> Iterator[str]:
    for name, value in vars(cls).items():
        for function in _functions(value):
            yield f"{name}({_code(function.__code__)}"
            for cell in function.__closure__ or ():
                yield _captured(cell)


def _functions(value: Any) -> Iterator[FunctionType]:
    if isinstance(value, property):
        inside = [value.fget, value.fset]
    elif isinstance(value, cached_property):
        inside = [cast(Any, value).func]
    else:
        inside = [getattr(value, "__func__", value)]
    yield from (each for each in inside if isinstance(each, FunctionType))


def _captured(cell: Any) -> str:
    try:
        value = cell.cell_contents
    except ValueError:  # not filled yet
        return _EMPTY
    return f"{getattr(value, '__qualname__', '') or plain_text(value)}"


def _code(code: CodeType) -> str:
    constants = list(map(_constant, code.co_consts))
    return repr((code.co_code, code.co_names, code.co_varnames, constants))


def _constant(value: Any) -> str:
    if isinstance(value, CodeType):
        return _code(value)
    if isinstance(value, frozenset):  # whose order is another in each process
        return repr(sorted(map(repr, cast("frozenset[object]", value))))
    return repr(value)
