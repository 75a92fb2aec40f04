"""Description: the parts of an exception that are stored, as data that a codec can write."""

from __future__ import annotations

import builtins
import traceback
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from pydantic_core import ValidationError

from penstock.publisher.absent import LOST, lost_of
from penstock.publisher.errors import CodecError, RemoteError
from penstock.publisher.fingerprint import fingerprint, is_reachable
from penstock.publisher.loose import LooseTree, lost_part
from penstock.publisher.naming import name_of
from penstock.publisher.record import attributes_of, slots_of
from penstock.publisher.refusal import Refusal, shown_type
from penstock.publisher.tree import Written, to_text
from penstock.publisher.validation import dump_refused

if TYPE_CHECKING:
    from penstock.publisher.codec import Codec

__all__ = ["BASES", "Description", "hidden_of"]

_MESSAGE_MAX = 4 * 1024
_NOTE_MAX = 1024
_TRACEBACK_MAX = 8 * 1024
_VALUES_MAX = 64 * 1024  # text of the arguments, and of the attributes
_FAMILY_MAX = 50  # causes and members of groups, all in all
_FRAMES = 20

_LEAVES = frozenset((type(None), bool, int, float, str))

# What builtin exceptions keep outside of their arguments and their `__dict__`.
_HIDDEN = {ImportError: ("name", "path"), NameError: ("name",), AttributeError: ("name",)}

# The builtin classes that an `except` clause may name for errors of classes that derive from them.
BASES: dict[str, type[Exception]] = {
    cls.__name__: cls
    for cls in vars(builtins).values()
    if isinstance(cls, type)
    and issubclass(cls, Exception)
    and not issubclass(cls, (BaseExceptionGroup, Warning))
    and cls is not Exception
}


class Description:
    """Describes one exception and its family, within limits for the whole."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._left = _FAMILY_MAX
        self._above: set[int] = set()
        self._tree = LooseTree(codec.registry, self._part)

    def of(self, error: BaseException) -> dict[str, Any]:
        """Return its parts by name, as `dump_error` says."""
        self._left -= 1
        self._above.add(id(error))
        message = _text_of(error)
        kept, lost = self._attributes(error)
        found: dict[str, Any] = {
            "type": name_of(type(error)),
            "message": message,
            "mark": "" if is_reachable(type(error)) else fingerprint(type(error)),
            "base": _base(error),
            "traceback": _traceback(error),
            "args": self._args(error, message),
            "attributes": kept,
            "lost": lost,
            "hidden": _hidden(error),
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
        kept = tuple(map(self._arg, args))
        return kept if len(to_text(self._tree.of(kept))) <= _VALUES_MAX else (message,)

    def _arg(self, arg: object) -> Any:
        """Return an argument, or its text: where it has no form, or its text would be another."""
        kind = type(arg)
        if (kind.__repr__, kind.__str__) == (object.__repr__, object.__str__):
            return _text_of(arg)
        written = self._written(arg)
        return _text_of(arg) if isinstance(written, str) and written is not arg else written

    def _attributes(self, error: BaseException) -> tuple[dict[str, Any], dict[str, str]]:
        kept: dict[str, Any] = {}
        lost, left = dict(lost_of(error)), _VALUES_MAX
        for name, value in attributes_of(error, slots_of(type(error))).items():
            if name in ("__notes__", LOST):
                continue
            tree = self._tree.of(value)
            left -= len(to_text(tree))
            said = lost_part(tree) or ("is too large" if left < 0 else "")
            if said:
                lost[name] = (
                    f"attribute {name!r} of {shown_type(type(error))} was not stored: {said}. Have "
                    "the error carry what is needed of it as plain data, a dataclass or a model."
                )
            else:
                kept[name] = value if type(value) in _LEAVES else Written(tree, value)
        return kept, lost

    def _written(self, value: Any) -> Any:
        """Return a value with its tree, or what is said of it where it is lost."""
        if type(value) in _LEAVES:
            return value
        tree = self._tree.of(value)
        return lost_part(tree) or Written(tree, value)

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
        return family

    def _fits(self, value: Any) -> bool:
        try:
            return len(self._codec.dumps(value)) <= _VALUES_MAX
        except CodecError:
            return False


def hidden_of(error: BaseException) -> Iterator[tuple[type, str]]:
    """Return the data of a builtin exception that is not in its arguments and attributes."""
    for kind, names in _HIDDEN.items():
        if isinstance(error, kind):
            yield from ((kind, name) for name in names)


def _hidden(error: BaseException) -> dict[str, str]:
    values = ((name, vars(kind)[name].__get__(error)) for kind, name in hidden_of(error))
    return {name: value for name, value in values if type(value) is str}


def _text_of(value: object) -> str:
    try:
        return _shorten(str(value), _MESSAGE_MAX)
    except Exception as error:
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
