"""Hidden: what builtin exceptions keep outside of their `__dict__`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from penstock.publisher.codec.absent import Absent, attribute_lost
from penstock.publisher.codec.record import is_made_in_python
from penstock.publisher.codec.refusal import shown_type
from penstock.publisher.codec.tree_writer import unwritten

__all__ = ["hidden_parts", "made_of", "set_hidden"]

_TEXT_MAX = 4 * 1024
_INT_BITS = 64

_LEAVES = frozenset((type(None), bool, int, float, str))

# Not always in their arguments too: some are only set later.
_NAMES: dict[type, tuple[str, ...]] = {
    AttributeError: ("name", "obj"),
    ImportError: ("name", "path"),
    NameError: ("name",),
    OSError: ("errno", "strerror", "filename", "filename2"),
    StopIteration: ("value",),
    SyntaxError: ("msg", "filename", "lineno", "offset", "text", "end_lineno", "end_offset"),
    UnicodeDecodeError: ("encoding", "object", "start", "end", "reason"),
    UnicodeEncodeError: ("encoding", "object", "start", "end", "reason"),
    UnicodeTranslateError: ("object", "start", "end", "reason"),
}


def made_of(cls: type[BaseException], args: tuple[Any, ...]) -> BaseException:
    """Return an exception that the builtin class at the base of `cls` has made of the arguments.

    Raises:
        TypeError: they are not those that it requires.
    """
    base: Any = next(base for base in cls.__mro__ if not is_made_in_python(base))
    error: BaseException = base.__new__(cls, *args)
    if base is not BaseExceptionGroup:
        base.__init__(error, *args)
    return error


def _hidden_of(error: BaseException) -> Iterator[tuple[Any, str]]:
    """Return descriptor and name of what a builtin exception keeps beside its `__dict__`."""
    for kind, names in _NAMES.items():
        if isinstance(error, kind):
            yield from ((vars(kind)[name], name) for name in names)


def hidden_parts(
    error: BaseException, args: tuple[Any, ...]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what is hidden in an error and not in its arguments, and what of it is lost."""
    kept: dict[str, Any] = {}
    lost: dict[str, str] = {}
    if not (parts := list(_hidden_of(error))):
        return kept, lost
    try:
        plain = made_of(type(error), tuple(map(unwritten, args)))
    except Exception:  # the class does not take arguments that were kept as text
        plain = None
    for descriptor, name in parts:
        value: object = descriptor.__get__(error)
        if plain is not None and _is_known(value, descriptor.__get__(plain), error.args):
            continue
        if _is_small(value):
            kept[name] = value
        elif type(value) is Absent:
            lost[name] = Absent.message(value)
        else:
            message = f"{shown_type(type(value))} has no stored form here, or is too large"
            lost[name] = attribute_lost(type(error), name, message)
    return kept, lost


def _is_small(value: Any) -> bool:
    if type(value) is int:
        return value.bit_length() < _INT_BITS  # no more has an errno or the number of a line
    return type(value) in _LEAVES and len(str(value)) <= _TEXT_MAX


def _is_known(value: Any, known: Any, args: tuple[Any, ...]) -> bool:
    """Whether a hidden value comes with the arguments, as it is or as its text."""
    is_equal = type(value) in _LEAVES and type(value) is type(known) and value == known
    return is_equal or value is known or any(value is arg for arg in args)


def set_hidden(error: BaseException, hidden: Mapping[str, Any]) -> None:
    """Give an error what was hidden in it."""
    for descriptor, name in _hidden_of(error):
        # Python trusts the text of a UnicodeError to be one.
        if name in hidden and name != "object" and type(hidden[name]) in _LEAVES:
            descriptor.__set__(error, hidden[name])
