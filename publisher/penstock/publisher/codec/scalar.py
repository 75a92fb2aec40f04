"""Scalar: a value without parts of its own, and the JSON that stands behind its tag.

Time zones: no zone, fixed offsets (to the microsecond, with their name) and `ZoneInfo` by its key
come back as they were, `fold` included; fixed offsets that pydantic has parsed, as Python's own.
Any other tzinfo is refused: its offset alone would forget what it does when clocks change.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from pathlib import Path, PosixPath, PurePath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pydantic
from pydantic_core import TzInfo

from penstock.publisher.codec.refusal import Refusal

# Names that can only be files below the directory of zones, never a path out of it.
_ZONE = re.compile(r"[A-Za-z0-9_+\-]+(/[A-Za-z0-9_+\-]+)*")
_URLS = tuple(
    getattr(pydantic, name)
    for name in ("AnyUrl", "AnyHttpUrl", "HttpUrl", "FileUrl", "WebsocketUrl", "RedisDsn")
    if isinstance(getattr(pydantic, name), type)
)


@dataclass(frozen=True, slots=True)
class Scalar:
    """How values of one type are written behind one tag, and read back."""

    tag: str
    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


def _write_bytes(value: bytes | bytearray) -> str:
    return binascii.b2a_base64(value, newline=False).decode("ascii")


def _read_bytes(text: str) -> bytes:
    return binascii.a2b_base64(text, strict_mode=True)


def _read_surrogates(text: str) -> str:
    return _read_bytes(text).decode("utf-8", "surrogatepass")


def write_surrogates(value: str) -> dict[str, str]:
    """A str with a surrogate *pair*, which JSON escapes would merge into one character."""
    return {"~str": _write_bytes(value.encode("utf-8", "surrogatepass"))}


def _write_zone(zone: tzinfo | None) -> Any:
    if zone is None:
        return None
    if type(zone) is ZoneInfo and zone.key and _ZONE.fullmatch(zone.key):
        return zone.key
    if type(zone) is timezone:
        name = [zone.tzname(None)] if _is_named(zone) else []
        return [*_write_delta(zone.utcoffset(None)), *name]
    raise Refusal("is a time zone that has no name to store: use ZoneInfo or UTC", zone)


def _read_zone(tree: Any) -> tzinfo | None:
    if tree is None:
        return None
    if type(tree) is str:
        if not _ZONE.fullmatch(tree):
            raise ValueError("not the name of a time zone")
        return ZoneInfo(tree)
    days, seconds, microseconds, *name = tree
    return timezone(timedelta(days, seconds, microseconds), *name)


def _write_clock(value: datetime | time) -> Any:
    zone = value.tzinfo
    if type(zone) is TzInfo:
        zone = timezone(zone.utcoffset(None) or timedelta())
        value = value.replace(tzinfo=zone)
    if not value.fold and _is_in_isoformat(zone):
        return value.isoformat()
    try:
        return [value.replace(tzinfo=None).isoformat(), value.fold, _write_zone(zone)]
    except Refusal as refusal:
        raise refusal.under(".tzinfo") from None


def _is_in_isoformat(zone: tzinfo | None) -> bool:
    """Whether ISO text gives the zone back; Python 3.11 reads an offset below a second as UTC."""
    if zone is None or zone is UTC:
        return True
    return type(zone) is timezone and not zone.utcoffset(None).microseconds and not _is_named(zone)


def _is_named(zone: timezone) -> bool:
    return zone.tzname(None) != timezone(zone.utcoffset(None)).tzname(None)


def _read_clock(kind: type[datetime] | type[time]) -> Callable[[Any], datetime | time]:
    def read(tree: Any) -> datetime | time:
        if type(tree) is str:
            return kind.fromisoformat(tree)
        text, fold, zone = tree
        return kind.fromisoformat(text).replace(fold=fold, tzinfo=_read_zone(zone))

    return read


def _write_delta(value: timedelta) -> list[int]:
    return [value.days, value.seconds, value.microseconds]


def _read_delta(tree: Any) -> timedelta:
    days, seconds, microseconds = tree
    return timedelta(days, seconds, microseconds)


def _write_path(value: PurePath) -> list[str]:
    return [type(value).__name__, str(value)]


def _read_path(tree: Any) -> PurePath:
    name, text = tree
    return _PATHS[name](text)


# A path of the other system is still a path, but one that cannot be opened here.
_ON_POSIX = issubclass(type(Path()), PosixPath)
_PATHS: dict[str, type[PurePath]] = {
    "PurePosixPath": PurePosixPath,
    "PureWindowsPath": PureWindowsPath,
    "PosixPath": PosixPath if _ON_POSIX else PurePosixPath,
    "WindowsPath": PureWindowsPath if _ON_POSIX else WindowsPath,
}


def _write_url(value: Any) -> list[str]:
    text = str(value)
    if type(value)(text) != value:
        raise Refusal("does not come back from its own text", value)
    return [type(value).__name__, text]


def _read_url(tree: Any) -> Any:
    name, text = tree
    return _URL_TYPES[name](text)


_URL_TYPES: dict[str, Callable[[str], Any]] = {kind.__name__: kind for kind in _URLS}


def _of_text(kind: Callable[[str], Any]) -> Callable[[Any], Any]:
    """Reader of types that take their own `str`, and must not be given a number."""

    def read(text: Any) -> Any:
        if type(text) is not str:
            raise TypeError("text expected")
        return kind(text)

    return read


def _text_scalar(tag: str, kind: Callable[[str], Any]) -> Scalar:
    return Scalar(tag, str, _of_text(kind))


SCALARS: dict[type, Scalar] = {
    bytes: Scalar("~bytes", _write_bytes, _read_bytes),
    bytearray: Scalar("~bytearray", _write_bytes, lambda text: bytearray(_read_bytes(text))),
    datetime: Scalar("~datetime", _write_clock, _read_clock(datetime)),
    time: Scalar("~time", _write_clock, _read_clock(time)),
    date: Scalar("~date", date.isoformat, date.fromisoformat),
    timedelta: Scalar("~timedelta", _write_delta, _read_delta),
    timezone: Scalar("~timezone", _write_zone, _read_zone),
    ZoneInfo: Scalar("~timezone", _write_zone, _read_zone),
    complex: Scalar("~complex", repr, _of_text(complex)),
    UUID: _text_scalar("~uuid", UUID),
    Decimal: _text_scalar("~decimal", Decimal),
    IPv4Address: _text_scalar("~ipv4address", IPv4Address),
    IPv6Address: _text_scalar("~ipv6address", IPv6Address),
    IPv4Network: _text_scalar("~ipv4network", IPv4Network),
    IPv6Network: _text_scalar("~ipv6network", IPv6Network),
    IPv4Interface: _text_scalar("~ipv4interface", IPv4Interface),
    IPv6Interface: _text_scalar("~ipv6interface", IPv6Interface),
    **dict.fromkeys(
        (PurePosixPath, PureWindowsPath, PosixPath, WindowsPath),
        Scalar("~path", _write_path, _read_path),
    ),
    **dict.fromkeys(_URLS, Scalar("~url", _write_url, _read_url)),
}

READERS: dict[str, Callable[[Any], Any]] = {
    **{scalar.tag: scalar.read for scalar in SCALARS.values()},
    "~str": _read_surrogates,
}
