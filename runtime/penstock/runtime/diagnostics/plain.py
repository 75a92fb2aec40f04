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
from typing import Any, cast

from pydantic import BaseModel

from penstock.runtime.types.interrupt import Interrupt


@functools.singledispatch
def plain(value: Any) -> Any:
    """Return the closest JSON value; what it was cannot be read back from it."""
    if isinstance(value, BaseException):
        return {"type": type(value).__qualname__, "message": str(value)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: plain(getattr(value, field.name)) for field in fields}
    return str(value)


@plain.register(type(None))
@plain.register(bool)
@plain.register(int)
@plain.register(str)
def _same(value: Any) -> Any:
    return value


@plain.register
def _interrupt(value: Interrupt) -> Any:
    return plain(value.as_dict())


@plain.register
def _float(value: float) -> Any:
    return value if math.isfinite(value) else str(value)


@plain.register(Mapping)
def _object(value: Mapping[Any, Any]) -> Any:
    return {key if isinstance(key, str) else _key(key): plain(v) for key, v in value.items()}


@plain.register(list)
@plain.register(tuple)
@plain.register(AbstractSet)
def _array(value: Any) -> Any:
    return [plain(item) for item in value]


@plain.register(date)
@plain.register(time)
def _moment(value: date | time) -> Any:
    return value.isoformat()


@plain.register
def _seconds(value: timedelta) -> Any:
    return value.total_seconds()


@plain.register(bytes)
@plain.register(bytearray)
def _bytes(value: bytes) -> Any:
    return base64.b64encode(value).decode()


@plain.register(Enum)
def _enum(value: Enum) -> Any:
    return plain(value.value)


@plain.register
def _model(value: BaseModel) -> Any:
    return cast(Any, value).model_dump(mode="json", fallback=str)


def _key(key: Any) -> str:
    return json.dumps(plain(key), ensure_ascii=False)
