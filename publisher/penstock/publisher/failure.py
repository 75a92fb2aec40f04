"""Failure: an exception as data, and an exception made of that data.

An exception comes back as its own class if this process has loaded that class, so that an
`except` clause takes the same branch on replay as it did at first; else as `RemoteError`, which
is then of the builtin class at its base too, for those clauses that name it. The
class is found in the tree of exceptions, never imported, and of its code nothing runs: the
arguments go to the builtin class at its base, the attributes into `__dict__`. What is no
`Exception` (`SystemExit`, `KeyboardInterrupt`, a cancellation) would act on the process that
reads it, and so always comes back as `RemoteError`.
"""

from __future__ import annotations

import builtins
import traceback
from collections.abc import Iterator
from functools import cache
from typing import Any, cast

from pydantic_core import ValidationError

from penstock.publisher.codec import Codec
from penstock.publisher.errors import CodecError, RemoteError
from penstock.publisher.naming import name_of
from penstock.publisher.record import is_made_in_python
from penstock.publisher.validation import dump_refused, load_refused

__all__ = ["dump_error", "load_error"]

_MESSAGE_MAX = 4 * 1024
_NOTE_MAX = 1024
_TRACEBACK_MAX = 8 * 1024
_VALUES_MAX = 64 * 1024  # text of the arguments, and of the attributes
_FAMILY_MAX = 50  # causes and members of groups, all in all
_FRAMES = 20

# What builtin exceptions keep outside of their arguments and their `__dict__`.
_HIDDEN = {ImportError: ("name", "path"), NameError: ("name",), AttributeError: ("name",)}

# The builtin classes that an `except` clause may name for errors of classes that derive from them.
_BASES: dict[str, type[Exception]] = {
    cls.__name__: cls
    for cls in vars(builtins).values()
    if isinstance(cls, type)
    and issubclass(cls, Exception)
    and not issubclass(cls, (BaseExceptionGroup, Warning))
    and cls is not Exception
}

_DEFAULT = Codec()


def dump_error(error: BaseException, codec: Codec = _DEFAULT) -> dict[str, Any]:
    """Return what is worth keeping of an exception, as a value that `codec` can write.

    Its members: `type`, `message`, `traceback` (text), and where there are any: `args`,
    `attributes`, `base` (of a class that is not builtin itself), `hidden`, `refused`, `notes`,
    `cause`, `context`, `members`. What cannot be
    written or is too large is kept as text or left out, so this never raises and the codec can
    always write it.
    """
    codec = codec.plain
    found = _Dump(codec).of(error)
    try:
        codec.dumps(found)
    except CodecError:  # a very large family, or a very small limit
        return {name: found[name] for name in ("type", "message")} | {"args": (found["message"],)}
    return found


def load_error(data: Any) -> BaseException:
    """Return the exception that `dump_error` has described; never raises."""
    try:
        return _build(data)
    except Exception:  # data of a wrong shape, or arguments that the class refuses
        return _remote(data)


class _Dump:
    """Describes one exception and its family, within limits for the whole."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._left = _FAMILY_MAX

    def of(self, error: BaseException) -> dict[str, Any]:
        self._left -= 1
        message = _text_of(error)
        found: dict[str, Any] = {
            "type": name_of(type(error)),
            "message": message,
            "base": _base(error),
            "traceback": _traceback(error),
            "args": self._args(error, message),
            "attributes": self._attributes(error),
            "hidden": _hidden(error),
            "refused": self._refused(error),
            "notes": _notes(error),
            **self._family(error),
        }
        if isinstance(error, RemoteError) and found["base"]:
            found |= {"type": error.type_name, "message": error.message}
        return {name: part for name, part in found.items() if part or name in ("args", "message")}

    def _args(self, error: BaseException, message: str) -> tuple[Any, ...]:
        if isinstance(error, BaseExceptionGroup):
            return (_shorten(str(error.message), _MESSAGE_MAX),)
        args = error.args
        if isinstance(error, OSError):  # its arguments end before the names of files
            args = cast("tuple[Any, ...]", OSError.__reduce__(error)[1])
        kept = tuple(arg if self._fits(arg) else _text_of(arg) for arg in args)
        return kept if self._fits(kept) else (message,)

    def _attributes(self, error: BaseException) -> dict[str, Any]:
        kept = {
            name: value
            for name, value in _attributes_of(error).items()
            if name != "__notes__" and self._fits((name, value))
        }
        return kept if self._fits(kept) else {}

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


def _build(data: dict[str, Any]) -> BaseException:
    cls = _loaded(data["type"])
    if cls is None:
        return _not_loaded(data)
    if issubclass(cls, ValidationError):
        return _with_attributes(load_refused(data["refused"], data["message"]), data)
    base: Any = next(base for base in cls.__mro__ if not is_made_in_python(base))
    args: tuple[Any, ...] = data["args"]
    if type(args) is not tuple:
        raise TypeError("the description was not read by the codec")
    if issubclass(cls, BaseExceptionGroup):
        args = (*args, [load_error(member) for member in data["members"]])
    error: BaseException = base.__new__(cls, *args)
    if base is not BaseExceptionGroup:
        base.__init__(error, *args)
    hidden = data.get("hidden", {})
    for kind, name in _hidden_of(error):
        if name in hidden:
            vars(kind)[name].__set__(error, str(hidden[name]))
    return _with_attributes(error, data)


def _with_attributes(error: BaseException, data: dict[str, Any]) -> BaseException:
    _attributes_of(error).update(data.get("attributes", {}))
    return _with_family(error, data)


def _with_family(error: BaseException, data: dict[str, Any]) -> BaseException:
    if notes := data.get("notes"):
        _attributes_of(error)["__notes__"] = [str(note) for note in notes]
    for name in ("context", "cause"):
        if name in data:  # past the class's own __setattr__, which may refuse (frozen dataclass)
            BaseException.__setattr__(error, f"__{name}__", load_error(data[name]))
    return error


def _loaded(name: str) -> type[Exception] | None:
    """The newest loaded exception class of this name."""
    found: type[Exception] | None = None
    if name == name_of(BaseExceptionGroup):  # its members come back as exceptions, so it can too
        return ExceptionGroup
    for cls in _subclasses(Exception, set()):
        if cls.__qualname__ == name[-len(cls.__qualname__) :] and name_of(cls) == name:
            found = cls
    return found


def _subclasses(cls: type[Exception], seen: set[type]) -> Iterator[type[Exception]]:
    if cls not in seen:
        seen.add(cls)
        yield cls
        for child in type.__subclasses__(cls):
            yield from _subclasses(child, seen)


def _not_loaded(data: dict[str, Any]) -> BaseException:
    """Return a remote error, of the builtin class too that its own derives from."""
    base: Any = _BASES.get(data.get("base", ""))
    if base is None:
        return _with_family(_remote(data), data)
    cls: Any = _stand_in(base)
    error = base.__new__(cls, *data["args"])
    base.__init__(error, *data["args"])
    return _with_attributes(error, {**data, "attributes": vars(_remote(data))})


@cache
def _stand_in(base: type[Exception]) -> type:
    kinds: tuple[type, ...] = (RemoteError, base)
    return type(RemoteError.__name__, kinds, {"__module__": "remote", "__reduce__": _reduced})


def _reduced(error: BaseException) -> tuple[Any, ...]:
    return load_error, (dump_error(error),)


def _remote(data: Any) -> RemoteError:
    try:
        name, message = str(data["type"]), str(data["message"])
    except Exception:
        name, message = "unknown exception", "its description is damaged"
    return RemoteError(name.removeprefix("builtins."), message)


def _attributes_of(error: BaseException) -> dict[str, Any]:
    found: dict[str, Any] = object.__getattribute__(error, "__dict__")
    return found


def _hidden_of(error: BaseException) -> Iterator[tuple[type, str]]:
    for kind, names in _HIDDEN.items():
        if isinstance(error, kind):
            yield from ((kind, name) for name in names)


def _hidden(error: BaseException) -> dict[str, str]:
    values = ((name, vars(kind)[name].__get__(error)) for kind, name in _hidden_of(error))
    return {name: value for name, value in values if type(value) is str}


def _text_of(value: object) -> str:
    try:
        return _shorten(str(value), _MESSAGE_MAX)
    except Exception as error:
        return f"<str() of {type(value).__qualname__} raised {type(error).__qualname__}>"


def _base(error: BaseException) -> str:
    """The nearest builtin class that an error's own derives from."""
    if type(error).__module__ == "builtins":
        return ""
    names = (cls.__name__ for cls in type(error).__mro__ if cls.__module__ == "builtins")
    name = next(names)
    return name if name in _BASES else ""


def _notes(error: BaseException) -> list[str]:
    notes = getattr(error, "__notes__", None)
    if not isinstance(notes, (list, tuple)):
        return []
    return [_shorten(_text_of(note), _NOTE_MAX) for note in cast("list[object]", notes)[:10]]


def _traceback(error: BaseException) -> str:
    """The innermost frames, which say where it happened."""
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
