"""LangGraph's form of values, for a closed list of types."""

from __future__ import annotations

__all__ = ["ClosedSerializer", "serializer_for"]

import re
from collections.abc import Collection
from typing import Any, Final

from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from penstock.langgraph.allow_list import OBJECTS, AllowList, TypeName, Types
from penstock.publisher.errors import CodecError, ConfigurationError

_FORMS: Final = frozenset(("null", "bytes", "bytearray", "msgpack"))
"""What values are written in that no type is named by, but in the last one."""

_OBJECT: Final = re.compile(b"[\xc7-\xc9\xd4-\xd8]")
"""What each object begins with in msgpack; in texts and numbers the bytes may be found, too."""


def serializer_for(types: Types, serde: SerializerProtocol | None) -> SerializerProtocol:
    """Return the serializer of a saver or a cache: the user's, else ours for some types.

    Raises:
        ConfigurationError: both types and serde, or a class that cannot be read again.
    """
    if serde is None:
        return ClosedSerializer(AllowList.of(types))
    if types:
        raise ConfigurationError(
            "types=[...] is about LangGraph's form of values: leave out either it or serde."
        )
    return serde


class ClosedSerializer:
    """Writes and reads as `JsonPlusSerializer` does, and refuses types that are not on its list.

    LangGraph's own imports and calls what the stored bytes name, or gives plain data in place of an
    object. Here both directions refuse. Without a list (None) all types are written and read.
    """

    def __init__(self, allowed: AllowList | None) -> None:
        self._allowed = allowed
        self._inner = JsonPlusSerializer(
            allowed_msgpack_modules=True if allowed is None else allowed.names
        )

    @property
    def takes_any(self) -> bool:
        """Whether there is no list, so that what is stored may call anything as it is read."""
        return self._allowed is None

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """Return the name of a form, and a value in it.

        Raises:
            CodecError: it holds something of a type that is not on the list.
        """
        typed = self._inner.dumps_typed(obj)
        self._check(typed)
        return typed

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """Return a value.

        Raises:
            CodecError: it holds something of a type that is not on the list.
        """
        self._check(data)
        return self._inner.loads_typed(data)

    def with_more(self, names: Collection[TypeName]) -> ClosedSerializer:
        """Return a serializer that takes other types too."""
        return self if self._allowed is None else ClosedSerializer(self._allowed.with_more(names))

    def _check(self, typed: tuple[str, bytes]) -> None:
        kind, data = typed
        if self._allowed is None:
            return
        if kind not in _FORMS:
            raise CodecError(f"it has the form {kind!r}, which is not read here.")
        if kind != "msgpack" or _OBJECT.search(data) is None:
            return
        missing = self._allowed.first_missing(data)
        if missing == OBJECTS:
            raise ValueError(f"a {OBJECTS} has no stored form")
        if missing is not None:
            raise CodecError(
                f"a value holds a {missing}; name it in types=[...].", type_name=missing
            )
