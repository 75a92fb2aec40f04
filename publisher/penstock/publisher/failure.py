"""Failure: an exception as data, and an exception made of that data.

An exception comes back as its own class if this process has loaded that class, so that an
`except` clause takes the same branch on replay as it did at first; else as `RemoteError`, which
is then of the builtin class at its base too, for those clauses that name it. The
class is found in the tree of exceptions, never imported, and of its code nothing runs: the
arguments go to the builtin class at its base, the attributes into `__dict__`. What is no
`Exception` (`SystemExit`, `KeyboardInterrupt`, a cancellation) would act on the process that
reads it, and so always comes back as `RemoteError`; as a value among others it is what it was.

An attribute without a stored form is not just gone: whoever touches it is told (`absent.py`).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, cast

from pydantic_core import ValidationError

from penstock.publisher.absent import hide
from penstock.publisher.description import BASES, Description, hidden_of
from penstock.publisher.errors import CodecError, RemoteError
from penstock.publisher.fingerprint import fingerprint, is_reachable
from penstock.publisher.namesakes import subclasses
from penstock.publisher.naming import name_of
from penstock.publisher.record import is_made_in_python, slots_of
from penstock.publisher.tree import Written
from penstock.publisher.validation import load_refused

if TYPE_CHECKING:
    from penstock.publisher.codec import Codec

__all__ = ["dump_error", "load_error", "load_value"]


def dump_error(error: BaseException, codec: Codec | None = None) -> dict[str, Any]:
    """Return what is worth keeping of an exception, as a value that `codec` can write.

    Its members: `type`, `message`, `traceback` (text), and where there are any: `args`,
    `mark` (the fingerprint of a class that its module does not have under its name), `attributes`,
    `lost` (attributes that could not be kept, each with what is said of it), `base`
    (of a class that is not builtin itself), `hidden`, `refused`, `notes`, `cause`, `context`,
    `members`. What cannot be written or is too large is lost, in arguments it is kept as text; so
    this never raises and the codec can always write it.
    """
    codec = (codec or _default_codec()).plain
    found = Description(codec).of(error)
    try:
        codec.dumps(found)
    except CodecError:  # a very large family, or a very small limit
        return {name: found[name] for name in ("type", "message")} | {"args": (found["message"],)}
    return found


def load_error(data: Any) -> BaseException:
    """Return the exception that `dump_error` has described, to be raised; never raises itself."""
    try:
        return _build(data, _loaded(data, Exception))
    except Exception:  # data of a wrong shape, or arguments that the class refuses
        return _remote(data)


def load_value(data: Any) -> BaseException:
    """As `load_error`, for one that is a value among others: it may be of any class."""
    try:
        return _build(data, _loaded(data, BaseException))
    except Exception:
        return _remote(data)


def _default_codec() -> Codec:
    from penstock.publisher.codec import Codec  # which has errors among its values

    return Codec()


def _build(data: dict[str, Any], cls: type[BaseException] | None) -> BaseException:
    if cls is None:
        return _not_loaded(data)
    if issubclass(cls, ValidationError):
        return _with_attributes(load_refused(data["refused"], data["message"]), data)
    base: Any = next(base for base in cls.__mro__ if not is_made_in_python(base))
    args: tuple[Any, ...] = data["args"]
    if type(args) is not tuple:
        raise TypeError("the description was not read by the codec")
    args = tuple(map(_unwritten, args))
    if issubclass(cls, BaseExceptionGroup):
        args = (*args, [load_error(member) for member in data["members"]])
    error: BaseException = base.__new__(cls, *args)
    if base is not BaseExceptionGroup:
        base.__init__(error, *args)
    hidden = data.get("hidden", {})
    for kind, name in hidden_of(error):
        if name in hidden:
            vars(kind)[name].__set__(error, str(hidden[name]))
    return _with_attributes(error, data)


def _with_attributes(error: BaseException, data: dict[str, Any]) -> BaseException:
    slots = frozenset(slots_of(type(error)))
    for name, value in data.get("attributes", {}).items():
        if name in slots:
            BaseException.__setattr__(error, name, _unwritten(value))
        else:
            _attributes_of(error)[name] = _unwritten(value)
    hide(error, {str(name): str(said) for name, said in data.get("lost", {}).items()})
    return _with_family(error, data)


def _unwritten(value: Any) -> Any:
    return value.value if type(value) is Written else value


def _with_family(error: BaseException, data: dict[str, Any]) -> BaseException:
    if notes := data.get("notes"):
        _attributes_of(error)["__notes__"] = [str(note) for note in notes]
    for name in ("context", "cause"):
        if name in data:  # past the class's own __setattr__, which may refuse (frozen dataclass)
            BaseException.__setattr__(error, f"__{name}__", load_error(data[name]))
    return error


def _loaded(data: dict[str, Any], root: type[BaseException]) -> type[BaseException] | None:
    """The loaded exception class that an error is of; of several made by the same lines the newest.

    None as well where it may be either of two.
    """
    name: str = data["type"]
    if name == name_of(BaseExceptionGroup):  # its members come back as exceptions, so it can too
        return ExceptionGroup
    found = [
        cast("type[BaseException]", cls)
        for cls in subclasses(root)
        if cls.__qualname__ == name[-len(cls.__qualname__) :] and name_of(cls) == name
    ]
    if len(found) > 1:
        found = _alike(found, data.get("mark", ""))
    return found[-1] if found else None


def _alike(found: list[type[BaseException]], mark: str) -> list[type[BaseException]]:
    """Return those of several classes that have this mark, or the one that its module has."""
    marks = list(map(fingerprint, found))
    if len(set(marks)) == 1:
        return found
    if mark:
        return [cls for cls, own in zip(found, marks, strict=True) if own == mark]
    return list(filter(is_reachable, found))


def _not_loaded(data: dict[str, Any]) -> BaseException:
    """Return a remote error, of the builtin class too that its own derives from."""
    base: Any = BASES.get(data.get("base", ""))
    data = {**data, "attributes": data.get("attributes", {}) | vars(_remote(data))}
    if base is None:
        return _with_attributes(_remote(data), data)
    cls: Any = _stand_in(base)
    args = tuple(map(_unwritten, data["args"]))
    error = base.__new__(cls, *args)
    base.__init__(error, *args)
    return _with_attributes(error, data)


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
