"""Every failure Penstock raises, in one tree.

PenstockError
├── ConfigurationError         wrong use of the API or of a setting (also ValueError)
├── RedisUnavailableError      Redis did not answer, or refused the write
│   └── RedisRightsError       the Redis user may not do this
├── CodecError                 a value cannot be written or read exactly
│   ├── ValueTooLargeError     a value is over the size limit
│   └── EncryptionError        a value is encrypted with no key here, or not encrypted as it must be
├── NotStoredError             a part of an error that was read from Redis could not be stored
├── RemoteError                stands for an exception class this process has not loaded
├── CursorExpiredError         the events after a cursor are no longer kept
├── InvalidCursorError         a cursor is not the number of an event
└── (penstock.runtime.errors adds those of runs)
"""

from __future__ import annotations

__all__ = [
    "CodecError",
    "ConfigurationError",
    "CursorExpiredError",
    "EncryptionError",
    "InvalidCursorError",
    "NotStoredError",
    "PenstockError",
    "RedisRightsError",
    "RedisUnavailableError",
    "RemoteError",
    "ValueTooLargeError",
]


class PenstockError(Exception):
    """Catches whatever Penstock raises on purpose."""


class ConfigurationError(PenstockError, ValueError):
    """Penstock is used or set up in a way that cannot work."""


class RedisUnavailableError(PenstockError):
    """Redis did not answer, or answered that it cannot take this write now."""


class RedisRightsError(RedisUnavailableError):
    """The Redis user may not do this."""


class CodecError(PenstockError):
    """A value cannot be written or read exactly."""

    def __init__(
        self, message: str, *, what: str = "", path: str = "$", type_name: str = ""
    ) -> None:
        super().__init__(message)
        self.what = what
        self.path = path
        self.type_name = type_name


class ValueTooLargeError(CodecError):
    """A value is over the size limit."""


class EncryptionError(CodecError):
    """A value is encrypted and no key here opens it, or is not encrypted where it must be."""

    def __init__(self, message: str, *, key_id: str = "") -> None:
        super().__init__(message)
        self.key_id = key_id


class NotStoredError(PenstockError):
    """Code has touched a part of an error that was not stored with it.

    It is no AttributeError: neither `hasattr` nor `getattr` with a default hides it.
    """


class RemoteError(PenstockError):
    """An exception raised in another process, of a class that this process has not loaded."""

    def __init__(self, type_name: str, message: str) -> None:
        super().__init__(type_name, message)
        self.type_name = type_name
        self.message = message

    def __str__(self) -> str:
        return f"{self.type_name}: {self.message}"


class CursorExpiredError(PenstockError):
    """The events after a cursor are no longer kept."""

    def __init__(self, run_id: str, after: int, oldest: int | None) -> None:
        kept = f"the oldest event kept is {oldest}" if oldest else "no event after it is kept"
        again = f"after={oldest - 1} begins with it" if oldest else "after=0 starts again"
        super().__init__(
            f"cursor {after} of run {run_id!r} has expired: {kept}. "
            f"Subscribing with {again}; a longer retention keeps more."
        )
        self.run_id = run_id
        self.after = after
        self.oldest = oldest


class InvalidCursorError(PenstockError, ValueError):
    """A cursor is not the number of an event."""
