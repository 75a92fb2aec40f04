"""Values of graphs as plain data, which an app reads without LangChain or the graph's classes."""

from __future__ import annotations

__all__ = ["plain"]

import dataclasses
import datetime
import decimal
import enum
import pathlib
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

from pydantic import BaseModel

_SCALARS: Final = (
    *(str, int, float, bytes, type(None), uuid.UUID, decimal.Decimal, pathlib.PurePath),
    *(datetime.date, datetime.time, datetime.timedelta),
)

_LEAVES: Final[frozenset[object]] = frozenset((str, int, float, bool, bytes, type(None)))
"""The types of most values, which need no look at what they derive from."""

_TEXTS: Final[frozenset[object]] = frozenset((str,))


def plain(value: Any) -> Any:
    """Return a value as dicts, lists and scalars: of objects their fields, of messages too.

    Texts, numbers, bytes, dates and the like stay what they are; of all else its repr is shown.
    """
    kind = cast(object, type(value))
    if kind in _LEAVES:
        return value
    if kind is dict:
        if not _TEXTS.issuperset(map(type, value)):
            return {_key(key): plain(each) for key, each in value.items()}
        if _LEAVES.issuperset(map(type, value.values())):
            return value.copy()
        return dict(zip(value, map(plain, value.values()), strict=True))
    if kind is list:
        return value.copy() if _LEAVES.issuperset(map(type, value)) else list(map(plain, value))
    return _converted(value)


def _converted(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return {name: plain(each) for name, each in value}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {each.name: plain(getattr(value, each.name)) for each in fields}
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, Mapping):
        mapping: Mapping[Any, Any] = cast(Any, value)
        return {_key(key): plain(each) for key, each in mapping.items()}
    if isinstance(value, list | tuple | set | frozenset):
        values: Any = cast(object, value)
        return plain(values._asdict()) if hasattr(values, "_asdict") else list(map(plain, values))
    return value if isinstance(value, _SCALARS) else _other(value)


def _key(key: Any) -> Any:
    return key if type(key) is str or not isinstance(key, enum.Enum) else key.value


def _other(value: Any) -> Any:
    """Return the fields of objects as LangGraph's `Send`, which have slots and nothing else."""
    kind = cast(Any, type(value))
    slots: Iterable[str] = getattr(kind, "__slots__", ())
    if kind.__module__.startswith("langgraph.") and slots:
        return {name: plain(getattr(value, name)) for name in slots if hasattr(value, name)}
    return repr(value)
