"""Identity of a cached function: its name, its code, and what it is bound to."""

from __future__ import annotations

__all__ = ["Identity"]

import dataclasses
import dis
import enum
import functools
import hashlib
import inspect
import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import PurePath
from types import CellType, CodeType, FunctionType
from typing import Any, Final, cast

from pydantic import BaseModel

from penstock.publisher.codec import Codec
from penstock.publisher.errors import CodecError
from penstock.runtime.errors import ConfigurationError

_CONSTANTS: Final = (
    *(str, bytes, int, float, complex, Decimal, enum.Enum),
    *(date, time, timedelta, uuid.UUID, PurePath),
)
"""Types of captured values that are part of what a function is; what may change is not."""


class Identity:
    """Names the namespace that a cache keeps for one function, the same in every process.

    Captured variables count with the values that they have when the namespace is first asked for;
    one that the function itself binds anew, as a counter, with the value at the declaration.
    """

    def __init__(self, function: Callable[..., Any], *, is_cached: bool = True) -> None:
        self._function = function
        self._code: tuple[str, list[Any]] | None = None
        self._initial = {
            id(cell): _Marks().of_cell(cell)
            for inner in (_functions(function) if is_cached else ())
            for name, cell in _cells(inner)
            if _binds(inner.__code__, name)
        }

    def namespace(self, name: str, codec: Codec) -> tuple[str, ...]:
        """Return the namespace of a task: its function, its name, and what it is bound to.

        Raises:
            ConfigurationError: what it is bound to cannot be told from another of its kind.
        """
        target, bound = _unbind(self._function)
        if self._code is None:
            self._code = _path(target, name), _Marks(self._initial).of_code(target)
        path, captured = self._code
        bound += captured
        if not bound:
            return path, name
        try:
            state = codec.plain.dumps(bound)
        except CodecError as error:
            raise ConfigurationError(
                f"task {name!r} cannot be cached: its function is bound to something that has no "
                f"digest ({error}). Cache a plain function, and give it what it needs as arguments."
            ) from error
        return path, name, _digest(state)


def _path(target: Any, name: str) -> str:
    path = f"{getattr(target, '__module__', '?')}.{getattr(target, '__qualname__', name)}"
    code = _code_of(target)
    return path if code is None else f"{path}:{_digest(_text_of(code))}"


def _unbind(function: Callable[..., Any]) -> tuple[Any, list[Any]]:
    """Return the function that is called in the end, and what it gets besides its arguments."""
    bound: list[Any] = []
    while isinstance(function, functools.partial):
        bound += [list(function.args), dict(function.keywords)]
        function = function.func
    owner = getattr(function, "__self__", None)
    if inspect.isclass(owner):
        bound.append(f"{owner.__module__}.{owner.__qualname__}")
    elif owner is not None and not inspect.ismodule(owner):
        bound.append(owner)
    elif not inspect.isroutine(function) and not inspect.isclass(function):
        bound.append(function)
        return type(function), bound
    return getattr(function, "__func__", function), bound


def _functions(function: Callable[..., Any]) -> Iterator[FunctionType]:
    """Give the function, and those that it has captured, as a decorator's wrapper has."""
    seen: set[int] = set()
    open_: list[Any] = [_unbind(function)[0]]
    while open_:
        each = open_.pop()
        if isinstance(each, FunctionType) and id(each) not in seen:
            seen.add(id(each))
            yield each
            open_ += [_contents(cell) for _, cell in _cells(each)]


def _cells(function: FunctionType) -> list[tuple[str, CellType]]:
    return list(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))


def _binds(code: CodeType, name: str) -> bool:
    """Tell whether code, or a function inside it, binds a captured variable anew."""
    if name not in code.co_freevars:
        return False
    if any(each.opname == "STORE_DEREF" and each.argval == name for each in dis.Bytecode(code)):
        return True
    return any(_binds(part, name) for part in code.co_consts if isinstance(part, CodeType))


_UNBOUND: Final = object()


def _contents(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return _UNBOUND


class _Marks:
    """Returns what stands for captured values: constants for themselves, the rest by their name.

    What may change while the function lives, as a list does, is no part of what the function is.
    """

    def __init__(self, known: dict[int, Any] | None = None) -> None:
        self._known = known or {}
        self._open: set[int] = set()

    def of_code(self, target: Any) -> list[Any]:
        """Return the marks of what a function has captured, and of its defaults."""
        if not isinstance(target, FunctionType) or id(target) in self._open:
            return []
        self._open.add(id(target))
        defaults = (*(target.__defaults__ or ()), *(target.__kwdefaults__ or {}).values())
        return [*(self.of_cell(cell) for _, cell in _cells(target)), *map(self.of, defaults)]

    def of_cell(self, cell: CellType) -> Any:
        """Return the mark of a captured variable."""
        return self._known[id(cell)] if id(cell) in self._known else self.of(_contents(cell))

    def of(self, value: Any) -> Any:
        """Return the mark of a value."""
        if isinstance(value, tuple):
            return [self.of(each) for each in cast("tuple[object, ...]", value)]
        if _is_constant(value):
            return value
        if (fields := _frozen_fields(value)) is not None:
            return {name: self.of(getattr(value, name)) for name in fields}
        if inspect.isroutine(value) or isinstance(value, functools.partial):
            return self._of_routine(value)
        wrapped = getattr(value, "__dict__", {}).get("__wrapped__")
        if callable(wrapped) and not inspect.isclass(value):
            return self.of(wrapped)
        name: object = getattr(value, "__qualname__", None)
        return name if isinstance(name, str) else type(value).__qualname__

    def _of_routine(self, value: Any) -> Any:
        marks: list[Any] = []
        while isinstance(value, functools.partial):
            marks += [self.of(value.args), {key: self.of(of) for key, of in value.keywords.items()}]
            value = value.func
        target, bound = _unbind(value)
        marks += [self.of(each) for each in bound]
        code = _code_of(target)
        marks += [getattr(target, "__qualname__", ""), _digest(_text_of(code)) if code else ""]
        return marks + self.of_code(target)


def _is_constant(value: Any) -> bool:
    """Tell whether a captured value is one that cannot change, and can be written down."""
    if value is None or isinstance(value, _CONSTANTS):
        return True
    if not isinstance(value, frozenset):
        return False
    try:
        Codec().dumps(value)
    except CodecError:
        return False
    return True


def _frozen_fields(value: object) -> Iterable[str] | None:
    """Return the names of the fields of a frozen dataclass or model, None for all else."""
    if isinstance(value, BaseModel):
        return list(type(value).model_fields) if value.model_config.get("frozen") else None
    how: Any = getattr(type(value), "__dataclass_params__", None)
    if how is None or not how.frozen:
        return None
    return [field.name for field in dataclasses.fields(cast(Any, value))]


def _code_of(target: Any) -> CodeType | None:
    """Return the code that a function, or an instance of a class, is called with."""
    call: Any = target.__call__ if inspect.isclass(target) else target
    code: Any = getattr(call, "__code__", None)
    return cast("CodeType | None", code)


def _text_of(code: CodeType) -> str:
    """Return what tells code from other code, wherever it stands."""
    parts = [_text_of_part(part) for part in code.co_consts]
    return repr((code.co_code, code.co_names, code.co_varnames, code.co_freevars, parts))


def _text_of_part(part: Any) -> str:
    if isinstance(part, CodeType):
        return _text_of(part)
    if isinstance(part, frozenset):  # whose order is another in each process
        return repr(sorted(map(repr, cast("frozenset[object]", part))))
    return repr(part)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
