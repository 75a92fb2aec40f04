"""Absent: the placeholder for a part of an error, or of an object in it, that was not stored.

Code that touches it gets a `NotStoredError`, also by `hasattr` or `getattr` with a default: code
that took one branch when the error was new must not silently take another when it is read again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NoReturn

from penstock.publisher.codec.refusal import shown_type
from penstock.publisher.errors import NotStoredError

__all__ = ["LOST", "Absent", "attribute_lost", "hide", "lost_of"]

LOST: Final = "__lost__"
"""Attribute of an object with the names of the attributes it has lost, each with a message."""


class Absent:
    """Placeholder in a container, which has no attribute that could be missing."""

    __slots__ = ("__message",)

    def __init__(self, message: str) -> None:
        object.__setattr__(self, "_Absent__message", message)

    def message(self) -> str:
        """Return why the value is absent."""
        found: str = object.__getattribute__(self, "_Absent__message")
        return found

    def __repr__(self) -> str:
        return f"<not stored: {Absent.message(self)}>"

    def _raise(self, *_: Any, **__: Any) -> NoReturn:
        raise NotStoredError(Absent.message(self))

    __getattr__ = __setattr__ = __bool__ = __eq__ = __lt__ = __len__ = __iter__ = _raise
    __getitem__ = __contains__ = __call__ = __str__ = __format__ = __int__ = __float__ = _raise
    __enter__ = __add__ = __radd__ = __hash__ = _raise
    __class__: Any = property(_raise)


class _Hole:
    """Descriptor in a class for an attribute that some of its instances have lost.

    An instance that has the attribute does not reach the descriptor; for all other instances it
    behaves like the attribute of the class that it covers.
    """

    def __init__(self, name: str, covered: tuple[Any, ...]) -> None:
        self._name = name
        self.covered = covered

    def __get__(self, instance: Any, owner: type) -> Any:
        message = lost_of(instance).get(self._name) if instance is not None else None
        if message is not None:
            raise NotStoredError(message)
        for found in _in_classes(owner, self._name):
            return found.__get__(instance, owner) if _has(found, "__get__") else found
        raise AttributeError(f"{owner.__name__!r} object has no attribute {self._name!r}")


def lost_of(value: Any) -> Mapping[str, str]:
    """Return the attributes that an object has lost, each with a description."""
    try:
        found: Mapping[str, str] = object.__getattribute__(value, "__dict__").get(LOST, {})
    except AttributeError:
        return {}
    return found


def attribute_lost(owner: type, name: str, reason: str) -> str:
    """Return the message about an attribute that was not stored."""
    return (
        f"attribute {name!r} of {shown_type(owner)} was not stored: {reason}. Let the error hold "
        "the needed parts as plain data, a dataclass or a model."
    )


def hide(value: object, lost: Mapping[str, str]) -> None:
    """Make an object raise `NotStoredError` for the attributes that it has lost."""
    cls = type(value)
    for name, message in lost.items():
        covered = next(_in_classes(cls, name), None)
        if _has(covered, "__set__") or not _has_hole(cls, name):
            _set(value, name, Absent(message))  # in a slot, or in an instance of a class made in C
        else:
            object.__getattribute__(value, "__dict__").setdefault(LOST, {})[name] = message


def _set(value: object, name: str, part: Any) -> None:
    if isinstance(value, BaseException):
        BaseException.__setattr__(value, name, part)
    else:
        object.__setattr__(value, name, part)


def _has_hole(cls: type, name: str) -> bool:
    """Make a hole in a class, and return whether it has one."""
    own = cls.__dict__.get(name, _Hole)
    if type(own) is _Hole:
        return True
    try:
        type.__setattr__(cls, name, _Hole(name, () if own is _Hole else (own,)))
    except TypeError:
        return False
    return True


def _has(descriptor: object, method: str) -> bool:
    return hasattr(type(descriptor), method)


def _in_classes(cls: type, name: str) -> Iterator[Any]:
    """Give what a class and its bases have under a name, but for holes."""
    for base in cls.__mro__:
        if name in base.__dict__:
            found: Any = base.__dict__[name]
            yield from found.covered if type(found) is _Hole else (found,)
