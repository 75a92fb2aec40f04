"""Values as the closest JSON, for people and for programs in other languages."""

from __future__ import annotations

__all__ = ["plain"]

import base64
import dataclasses
import functools
import json
import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import date, time, timedelta
from enum import Enum
from typing import Any, Final, cast

from pydantic import BaseModel

from penstock.runtime.types.interrupt import Interrupt

_AS_IT_IS: Final = frozenset({str, int, bool, type(None)})
"""The types that are JSON themselves, and by far the most of what is written."""


def plain(value: Any) -> Any:
    """Return the closest JSON value; what it was cannot be read back from it."""
    return value if type(value) in _AS_IT_IS else _closest(value)


@functools.singledispatch
def _closest(value: Any) -> Any:
    if isinstance(value, BaseException):
        return {"type": type(value).__qualname__, "message": str(value)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: plain(getattr(value, field.name)) for field in fields}
    return str(value)


@_closest.register(int)
@_closest.register(str)
def _same(value: Any) -> Any:
    return value


@_closest.register
def _interrupt(value: Interrupt) -> Any:
    return plain(value.as_dict())


@_closest.register
def _float(value: float) -> Any:
    return value if math.isfinite(value) else str(value)


@_closest.register(Mapping)
def _object(value: Mapping[Any, Any]) -> Any:
    return {key if isinstance(key, str) else _key(key): plain(v) for key, v in value.items()}


@_closest.register(list)
@_closest.register(tuple)
@_closest.register(AbstractSet)
def _array(value: Any) -> Any:
    return [plain(item) for item in value]


@_closest.register(date)
@_closest.register(time)
def _moment(value: date | time) -> Any:
    return value.isoformat()


@_closest.register
def _seconds(value: timedelta) -> Any:
    return value.total_seconds()


@_closest.register(bytes)
@_closest.register(bytearray)
def _bytes(value: bytes) -> Any:
    return base64.b64encode(value).decode()


@_closest.register(Enum)
def _enum(value: Enum) -> Any:
    return plain(value.value)


@_closest.register
def _model(value: BaseModel) -> Any:
    return cast(Any, value).model_dump(mode="json", fallback=str)


def _key(key: Any) -> str:
    return json.dumps(plain(key), ensure_ascii=False)
