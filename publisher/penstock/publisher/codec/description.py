"""Description: the parts of an exception that are stored, as data that a codec can write."""

from __future__ import annotations

import builtins
import traceback
from collections.abc import Iterable
from typing import Any, Protocol, cast

from pydantic_core import ValidationError

from penstock.publisher.codec.absent import LOST, attribute_lost, lost_of
from penstock.publisher.codec.class_token import class_token
from penstock.publisher.codec.fingerprint import fingerprint, is_reachable
from penstock.publisher.codec.hidden import hidden_parts
from penstock.publisher.codec.loose import LooseTree, lost_part
from penstock.publisher.codec.module_variables import variables_of
from penstock.publisher.codec.naming import name_of
from penstock.publisher.codec.record import attributes_of, slots_of
from penstock.publisher.codec.refusal import Refusal
from penstock.publisher.codec.registry import TypeRegistry
from penstock.publisher.codec.tree_text import to_text
from penstock.publisher.codec.tree_writer import Written, unwritten
from penstock.publisher.codec.validation import dump_refused
from penstock.publisher.errors import CodecError, RemoteError

__all__ = ["BASES", "Description", "ErrorCodec"]

_MESSAGE_MAX = 4 * 1024
_NOTE_MAX = 1024
_TRACEBACK_MAX = 8 * 1024
_VALUES_MAX = 64 * 1024  # text of the arguments, and of the attributes
_FAMILY_MAX = 50  # causes and members of groups, all in all
_FRAMES = 20

_LEAVES = frozenset((type(None), bool, int, float, str))

# The builtin classes that an `except` clause may name for errors of classes that derive from them.
BASES: dict[str, type[Exception]] = {
    cls.__name__: cls
    for cls in vars(builtins).values()
    if isinstance(cls, type)
    and issubclass(cls, Exception)
    and not issubclass(cls, (BaseExceptionGroup, Warning))
    and cls is not Exception
}


class ErrorCodec(Protocol):
    """What of a codec is used to describe errors."""

    @property
    def registry(self) -> TypeRegistry:
        """The types that it writes."""
        ...

    @property
    def plain(self) -> ErrorCodec:
        """The codec without encryption."""
        ...

    def dumps(self, value: Any, what: str = "", /) -> str:
        """Return the text of a value."""
        ...


class Description:
    """Describes one exception and its family, within limits for the whole."""

    def __init__(self, codec: ErrorCodec) -> None:
        self._codec = codec
        self._left = _FAMILY_MAX
        self._above: set[int] = set()
        self._tree = LooseTree(codec.registry, self._part)

    def of(self, error: BaseException) -> dict[str, Any]:
        """Return the parts of the error by name; `dump_error` lists them."""
        self._left -= 1
        self._above.add(id(error))
        message = _text_of(error)
        args = self._args(error, message)
        hidden, hidden_lost = hidden_parts(error, args)
        kept, lost = self._attributes(error)
        found: dict[str, Any] = {
            "type": name_of(type(error)),
            "message": message,
            **_marks(type(error)),
            "base": _base(error),
            "traceback": _traceback(error),
            "args": args,
            "attributes": kept,
            "lost": lost | hidden_lost,
            "hidden": hidden,
            "refused": self._refused(error),
            "notes": _notes(error),
            **self._family(error),
        }
        self._above.discard(id(error))
        if isinstance(error, RemoteError) and found["base"]:
            found |= {"type": error.type_name, "message": error.message}
        return {name: part for name, part in found.items() if part or name in ("args", "message")}

    def _part(self, error: BaseException) -> dict[str, Any]:
        """Describe an error that is an argument or an attribute of another, or inside of one."""
        if id(error) in self._above or self._left <= 0:
            raise Refusal("is described already, or one of too many", error)
        return self.of(error)

    def _args(self, error: BaseException, message: str) -> tuple[Any, ...]:
        if isinstance(error, BaseExceptionGroup):
            return (_shorten(str(error.message), _MESSAGE_MAX),)
        args = error.args
        if isinstance(error, OSError):  # its arguments end before the names of files
            args = cast("tuple[Any, ...]", OSError.__reduce__(error)[1])
        kept: list[Any] = []
        left = _VALUES_MAX
        for arg in args:
            part = self._arg(arg, left)
            left -= _size_of(part)
            kept.append(part)
        # One that was cut would change what a UnicodeError says: it needs all of its arguments.
        is_whole = left >= 0 and not (isinstance(error, UnicodeError) and _differ(kept, args))
        return tuple(kept) if is_whole else (message,)

    def _arg(self, arg: object, left: int) -> Any:
        """Return an argument, or its text: where it has no form, or its text would be another."""
        kind = type(arg)
        if (kind.__repr__, kind.__str__) == (object.__repr__, object.__str__):
            return _text_of(arg)
        written = self._written(arg, left)
        return _text_of(arg) if isinstance(written, str) and written is not arg else written

    def _attributes(self, error: BaseException) -> tuple[dict[str, Any], dict[str, str]]:
        with self._tree.inside(error):
            return self._parts(error)

    def _parts(self, error: BaseException) -> tuple[dict[str, Any], dict[str, str]]:
        kept: dict[str, Any] = {}
        lost, left = dict(lost_of(error)), _VALUES_MAX
        attributes = attributes_of(error, slots_of(type(error)))
        for name, value in self._tree.shown(attributes).items():
            if name in ("__notes__", LOST):
                continue
            part = self._written(value, left)
            if isinstance(part, str) and part is not value:
                lost[name] = attribute_lost(type(error), name, part)
            else:
                left -= _size_of(part)
                kept[name] = part
        return kept, lost

    def _written(self, value: Any, left: int) -> Any:
        """Return a value with its tree, or a message if it cannot be stored."""
        tree = self._tree.whole(value, left)
        return lost_part(tree) or (value if type(value) in _LEAVES else Written(tree, value))

    def _refused(self, error: BaseException) -> dict[str, Any]:
        if not isinstance(error, ValidationError):
            return {}
        return dump_refused(error, self._fits, _text_of)

    def _family(self, error: BaseException) -> dict[str, Any]:
        family: dict[str, Any] = {}
        if isinstance(error, BaseExceptionGroup):
            group = cast("BaseExceptionGroup[BaseException]", error)
            family["members"] = [self.of(member) for member in group.exceptions if self._left > 0]
            if left_out := len(group.exceptions) - len(family["members"]):
                family["notes"] = [*_notes(group), f"{left_out} more exceptions were not kept"]
        if error.__cause__ is not None and self._left > 0:
            family["cause"] = self.of(error.__cause__)
        elif error.__context__ is not None and not error.__suppress_context__ and self._left > 0:
            family["context"] = self.of(error.__context__)
        # `raise ... from None`; with a cause it is so anyway.
        family["suppressed"] = error.__suppress_context__ and error.__cause__ is None
        return family

    def _fits(self, value: Any) -> bool:
        try:
            return len(self._codec.dumps(value)) <= _VALUES_MAX
        except CodecError:
            return False


def _marks(cls: type) -> dict[str, Any]:
    """Return what distinguishes a class from others of its name; {} if the name is unique."""
    if is_reachable(cls):
        return {}
    variables = list(variables_of(cls))
    return {"mark": fingerprint(cls), "variables": variables, "token": class_token(cls)}


def _size_of(part: Any) -> int:
    return len(to_text(part.tree) if type(part) is Written else str(part))


def _differ(kept: Iterable[Any], args: Iterable[Any]) -> bool:
    return any(unwritten(part) is not arg for part, arg in zip(kept, args, strict=True))


def _text_of(value: object) -> str:
    try:
        return _shorten(str(value), _MESSAGE_MAX)
    except Exception as error:  # of the value's own __str__
        return f"<str() of {type(value).__qualname__} raised {type(error).__qualname__}>"


def _base(error: BaseException) -> str:
    """Return the nearest builtin base of an error's class."""
    if type(error).__module__ == "builtins":
        return ""
    names = (cls.__name__ for cls in type(error).__mro__ if cls.__module__ == "builtins")
    name = next(names)
    return name if name in BASES else ""


def _notes(error: BaseException) -> list[str]:
    notes = getattr(error, "__notes__", None)
    if not isinstance(notes, (list, tuple)):
        return []
    return [_shorten(_text_of(note), _NOTE_MAX) for note in cast("list[object]", notes)[:10]]


def _traceback(error: BaseException) -> str:
    """Return the innermost frames, which show where it happened."""
    try:
        frames = traceback.format_tb(error.__traceback__, limit=-_FRAMES)
    except Exception:  # a source file with another encoding than it says
        return ""
    return _shorten("".join(frames), _TRACEBACK_MAX)


def _shorten(text: str, size: int) -> str:
    if len(text) <= size:
        return text
    half = size // 2
    return f"{text[:half]} ... {len(text) - 2 * half:,} characters left out ... {text[-half:]}"
