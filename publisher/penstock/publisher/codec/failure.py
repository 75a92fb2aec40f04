"""Failure: an exception as data, and an exception made of that data.

An exception comes back as its own class if this process has loaded that class, so that an
`except` clause takes the same branch on replay as it did at first; else as `RemoteError`, which
is then of the builtin class at its base too, for those clauses that name it. The
class is found in the tree of exceptions, never imported, and of its code nothing runs: the
arguments go to the builtin class at its base, the attributes into `__dict__`. An exception that is
no `Exception` (`SystemExit`, `KeyboardInterrupt`, a cancellation) would act on the process that
reads it, and so always comes back as `RemoteError`; as a part of a value it keeps its class.

An attribute without a stored form is not just missing: code that reads it gets an error
(`absent.py`).
"""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic_core import ValidationError

from penstock.publisher.codec.absent import hide
from penstock.publisher.codec.description import BASES, Description, ErrorCodec
from penstock.publisher.codec.error_class import ErrorClasses, shared_base
from penstock.publisher.codec.hidden import made_of, set_hidden
from penstock.publisher.codec.record import is_made_in_python, slots_of
from penstock.publisher.codec.tree_writer import unwritten
from penstock.publisher.codec.validation import load_refused
from penstock.publisher.errors import CodecError, RemoteError

__all__ = ["dump_error", "load_error", "load_value"]

_classes = ErrorClasses()


def dump_error(error: BaseException, codec: ErrorCodec) -> dict[str, Any]:
    """Return what is worth keeping of an exception, as a value that `codec` can write.

    Its members: `type`, `message`, `traceback` (text), and where there are any: `args`, `mark`,
    `variables` and `token` (of a class that its module does not have under its name: fingerprint,
    variables of modules that hold it, `class_token.py`), `attributes`, `lost` (attributes that
    could not be kept, each with a message), `base` (of a class that is not builtin
    itself), `hidden` (what a builtin class keeps beside these), `refused`, `notes`, `cause`,
    `context`, `suppressed` (it was raised from None), `members`. What cannot be written or is too
    large is lost, in arguments it is kept as text; so this never raises and the codec can always
    write it.
    """
    codec = codec.plain
    found = Description(codec).of(error)
    try:
        codec.dumps(found)
    except CodecError:  # a very large family, or a very small limit
        return {name: found[name] for name in ("type", "message")} | {"args": (found["message"],)}
    return found


def load_error(data: Any) -> BaseException:
    """Return the exception that `dump_error` has described, to be raised; never raises itself."""
    return _load(data, Exception)


def load_value(data: Any) -> BaseException:
    """As `load_error`, for one that is a value among others: it may be of any class."""
    return _load(data, BaseException)


def _load(data: Any, root: type[BaseException]) -> BaseException:
    try:
        return _build(data, root)
    except Exception as error:  # arguments that the class does not take, data of a wrong shape
        reason = f"it could not be rebuilt from its stored form: {type(error).__name__}: {error}"
    try:
        found = _placeholder(data)
    except Exception:  # data of a wrong shape
        found = _remote(data)
    found.add_note(reason)
    return found


def _build(data: dict[str, Any], root: type[BaseException]) -> BaseException:
    found = _classes.find(data, root)
    if len(found) != 1:
        return _either(found, data) if found else _placeholder(data)
    (cls,) = found
    if issubclass(cls, ValidationError):
        return _with_attributes(load_refused(data["refused"], data["message"]), data)
    args = _args(data)
    if BaseExceptionGroup in cls.__mro__:
        args = (*args, [load_error(member) for member in data["members"]])
    error = _with_attributes(made_of(cls, args), data)
    if isinstance(error, UnicodeError):
        _check_positions(error)
    return error


def _args(data: dict[str, Any]) -> tuple[Any, ...]:
    args: tuple[Any, ...] = data["args"]
    if type(args) is not tuple:
        raise TypeError("the description was not read by the codec")
    return tuple(map(unwritten, args))


def _check_positions(error: Any) -> None:
    """Refuse what Python before 3.14 reads memory beyond the text for, as it shows the error."""
    text = getattr(error, "object", "")
    kind = bytes if isinstance(error, UnicodeDecodeError) else str
    if type(text) is not kind or getattr(error, "start", 0) < 0:
        raise ValueError("a UnicodeError without its text, or from before it")


def _with_attributes(error: BaseException, data: dict[str, Any]) -> BaseException:
    set_hidden(error, data.get("hidden", {}))
    slots = frozenset(slots_of(type(error)))
    for name, value in data.get("attributes", {}).items():
        if name in slots:
            BaseException.__setattr__(error, name, unwritten(value))
        else:
            _attributes_of(error)[name] = unwritten(value)
    hide(error, {str(name): str(message) for name, message in data.get("lost", {}).items()})
    return _with_family(error, data)


def _with_family(error: BaseException, data: dict[str, Any]) -> BaseException:
    if notes := data.get("notes"):
        _attributes_of(error)["__notes__"] = [str(note) for note in notes]
    for name in ("context", "cause"):
        if name in data:  # past the class's own __setattr__, which may refuse (frozen dataclass)
            BaseException.__setattr__(error, f"__{name}__", load_error(data[name]))
    if data.get("suppressed"):
        BaseException.__setattr__(error, "__suppress_context__", True)
    return error


def _either(found: list[type[BaseException]], data: dict[str, Any]) -> BaseException:
    """Return a remote error that is also of what several classes of its name derive from."""
    base = shared_base(found)
    error = _placeholder(data, base if is_made_in_python(base) else None)
    error.add_note(
        f"{len(found)} loaded classes are called {data['type']!r} and are made by the same lines, "
        "and this error may be of either: give each a name of its own, or have a variable of its "
        "module hold it."
    )
    return error


def _placeholder(data: dict[str, Any], base: Any = None) -> BaseException:
    """Return a remote error, of the builtin class too that its own is or derives from."""
    name: str = data.get("base") or data["type"].removeprefix("builtins.")
    data = {**data, "attributes": data.get("attributes", {}) | vars(_remote(data))}
    base = base or BASES.get(name)
    if base is None:
        return _with_attributes(_remote(data), data)
    return _with_attributes(_remote_of(base, _args(data)), data)


def _remote_of(base: Any, args: Any) -> Any:
    cls = _remote_class(base)
    try:
        return made_of(cls, args)
    except TypeError:  # not all of those that the class requires were stored
        return base.__new__(cls, *args)


@cache
def _remote_class(base: type[Exception]) -> type[Exception]:
    kinds: tuple[type, ...] = (RemoteError, base)
    return type(RemoteError.__name__, kinds, {"__module__": "remote", "__reduce__": _reduced})


def _reduced(error: Exception) -> tuple[Any, ...]:
    """Say how pickle makes an error of such a class, which no module has, again."""
    return _made_again, (type(error).__bases__[1], error.args, error.__dict__)


def _made_again(base: Any, args: tuple[Any, ...], attributes: dict[str, Any]) -> Any:
    error = _remote_of(base, args)
    error.__dict__.update(attributes)
    return error


def _remote(data: Any) -> RemoteError:
    try:
        name, message = str(data["type"]), str(data["message"])
    except Exception:  # data of a wrong shape
        name, message = "unknown exception", "its description is damaged"
    return RemoteError(name.removeprefix("builtins."), message)


def _attributes_of(error: BaseException) -> dict[str, Any]:
    found: dict[str, Any] = object.__getattribute__(error, "__dict__")
    return found
