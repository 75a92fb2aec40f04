"""How values are written: by the saver's serializer, never larger than the limit."""

from __future__ import annotations

__all__ = ["Serializer", "Values"]

from typing import Any, Protocol

from penstock.langgraph.redis.record import Typed
from penstock.publisher.errors import CodecError, ValueTooLargeError


class Serializer(Protocol):
    """What LangGraph's serializers have."""

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """Return the name of a type, and the value as bytes."""
        ...

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """Return the value."""
        ...


class Values:
    """Turns values into bytes and back, and says which value cannot be."""

    def __init__(self, serializer: Serializer, limit: int) -> None:
        self._serializer = serializer
        self._limit = limit

    def dumps(self, value: Any, what: str) -> Typed:
        """Return a value as bytes; `what` is the start of a sentence, as "node 'n' wrote 'a'".

        Raises:
            CodecError: it holds something of a type that is not listed, or that has no stored form.
            ValueTooLargeError: it has more bytes than the setting `value_limit` allows.
        """
        try:
            kind, data = self._serializer.dumps_typed(value)
        except CodecError as error:
            raise CodecError(
                f"{what}, which holds a {error.type_name}; name it in types=[...].",
                what=what,
                type_name=error.type_name,
            ) from None
        except Exception as error:
            raise CodecError(
                f"{what}, which cannot be stored: {_cause(error)}. Keep it out of the state, "
                "or store what it is made of.",
                what=what,
            ) from error
        if len(data) > self._limit:
            raise ValueTooLargeError(
                f"{what}, which has {len(data)} bytes, and the setting value_limit allows "
                f"{self._limit}: store it elsewhere and keep its name, or raise the limit.",
                what=what,
            )
        return Typed(kind, data)

    def loads(self, value: Typed, what: str) -> Any:
        """Return the value of bytes.

        Raises:
            CodecError: it holds something of a type that is not listed here, or is damaged.
        """
        try:
            return self._serializer.loads_typed((value.kind, value.data))
        except CodecError as error:
            if not error.type_name:
                raise CodecError(f"{what} cannot be read: {error}", what=what) from None
            raise CodecError(
                f"{what} holds a {error.type_name}; name it in types=[...], as the process did "
                "that wrote it.",
                what=what,
                type_name=error.type_name,
            ) from None
        except Exception as error:
            raise CodecError(f"{what} cannot be read: {_cause(error)}.", what=what) from error


def _cause(error: BaseException) -> str:
    """Return the first error of a chain: serializers put words of their own around it."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).rstrip(".") or type(error).__name__
