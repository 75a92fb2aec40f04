"""Values in LangGraph's form, read as plain data: no class that they name is imported."""

from __future__ import annotations

__all__ = ["PlainSerializer"]

import datetime
import decimal
import pathlib
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

import ormsgpack

from penstock.publisher.errors import CodecError

_METHOD: Final = 3
_NUMPY: Final = 6
_SNAPSHOT: Final = 7
"""What LangGraph's msgpack calls its extension types; the others are of classes."""

_REVIVED: Final[Mapping[tuple[str, str], Callable[[Any], Any]]] = {
    ("uuid", "UUID"): uuid.UUID,
    ("decimal", "Decimal"): decimal.Decimal,
    ("datetime", "datetime"): datetime.datetime.fromisoformat,
    ("datetime", "date"): lambda parts: datetime.date(*parts),
    ("datetime", "time"): lambda fields: datetime.time(**fields),
    ("datetime", "timedelta"): lambda parts: datetime.timedelta(*parts),
    ("pathlib", "PosixPath"): lambda parts: pathlib.PurePosixPath(*parts),
    ("pathlib", "PurePosixPath"): lambda parts: pathlib.PurePosixPath(*parts),
    ("pathlib", "WindowsPath"): lambda parts: pathlib.PureWindowsPath(*parts),
    ("pathlib", "PureWindowsPath"): lambda parts: pathlib.PureWindowsPath(*parts),
    ("langgraph.types", "Send"): lambda parts: dict(
        zip(("node", "arg", "timeout"), [*parts, None][:3], strict=True)
    ),
    ("pydantic.types", "SecretStr"): lambda _: "**********",
    ("pydantic.types", "SecretBytes"): lambda _: "**********",
}


class PlainSerializer:
    """Reads what `penstock.langgraph.plain` makes of a value out of the value's stored form."""

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """Refuse: who has no classes only reads."""
        raise NotImplementedError

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """Return a value as dicts, lists and scalars: of objects their fields.

        Raises:
            CodecError: it has the form of a serializer of the graph's own.
        """
        kind, stored = data
        if kind == "null":
            return None
        if kind in ("bytes", "bytearray"):
            return stored
        if kind != "msgpack":
            raise CodecError(
                f"it has the form {kind!r} of a serializer of the graph's own: the graph's "
                "get_state() with a PenstockSaver(serde=...) reads it."
            )
        return _unpacked(stored)


def _unpacked(data: bytes) -> Any:
    return ormsgpack.unpackb(data, ext_hook=_plain, option=ormsgpack.OPT_NON_STR_KEYS)


def _plain(code: int, data: bytes) -> Any:
    tree = _unpacked(data)
    if code == _SNAPSHOT:
        return tree
    if code == _NUMPY:
        return dict(zip(("dtype", "shape", "order", "data"), tree, strict=True))
    module, name, given = tree[:3]
    if code == _METHOD and (module, name) != ("datetime", "datetime"):
        return given
    revive = _REVIVED.get((module, name))
    return given if revive is None else revive(given)
