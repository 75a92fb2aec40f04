"""Captured values: what tells two functions of one code apart."""

from __future__ import annotations

__all__ = ["Captured"]

import contextlib
import functools
import inspect
import logging
import threading
import weakref
from collections.abc import Iterator
from contextvars import ContextVar
from types import CellType, FunctionType, ModuleType
from typing import Any, Final

from penstock.publisher.codec.fingerprint import fingerprint, is_reachable
from penstock.publisher.codec.naming import name_of
from penstock.publisher.errors import CodecError
from penstock.runtime.engine.function.code import binds_anew, code_of, digest_of_code, unbind

_PARTS_MAX: Final = 100_000
"""How many values a function may have captured, those inside of others included."""

_PLAIN: Final = frozenset((type(None), bool, int, float, str, bytes))

_WITHOUT_STATE: Final = (
    *(type(threading.Lock()), type(threading.RLock()), threading.local, ContextVar),
    *(weakref.ref, weakref.ProxyType, weakref.CallableProxyType, logging.Logger),
)
"""Types whose values serve the process only: none of them changes what a function returns."""


class Captured:
    """Makes marks of what a function has captured: data that is equal where the values are.

    A value is taken apart as `copy` and `pickle` do it, down to plain data, functions and classes.
    A function stands for its code and what it has captured in turn.
    """

    def __init__(self) -> None:
        self._cells: dict[int, tuple[CellType, Any]] = {}
        self._states: dict[int, tuple[object, Any]] = {}

    def remember(self, target: Any) -> None:
        """Remember the state that captured values have now.

        They may change while the function lives, as a counter does, and are counted as they were.
        """
        # What cannot be taken apart is refused where a digest is asked for.
        with contextlib.suppress(CodecError, RecursionError):
            _Walk(self._cells, self._states, is_first=True).of_function(target)

    def marks(self, target: Any, *, bound: list[Any]) -> list[Any]:
        """Return the marks of a function, and of the classes among what it is bound to.

        Raises:
            CodecError: it has captured something that cannot be taken apart.
        """
        walk = _Walk(self._cells, self._states)
        owners = [walk.of(each) for each in bound if isinstance(each, type)]
        return owners + walk.of_function(target)


class _Walk:
    """One way through all that a function has captured."""

    def __init__(
        self,
        cells: dict[int, tuple[CellType, Any]],
        states: dict[int, tuple[object, Any]],
        *,
        is_first: bool = False,
    ) -> None:
        self._cells = cells
        self._states = states
        self._is_first = is_first
        # With the objects, so that no other one gets their ids.
        self._seen: dict[int, tuple[int, object]] = {}
        self._parts: list[object] = []

    def of_function(self, target: Any) -> list[Any]:
        """Return the marks of what a function has captured, and of its defaults."""
        if inspect.isclass(target) and not is_reachable(target):
            return [self.of(target)]
        if not isinstance(target, FunctionType) or self._again(target):
            return []
        marks = [self._of_cell(target, name, cell) for name, cell in _cells_of(target)]
        defaults = (*(target.__defaults__ or ()), *(target.__kwdefaults__ or {}).values())
        return [*marks, *map(self.of, defaults)]

    def of(self, value: Any) -> Any:
        """Return the mark of a value."""
        kind = _kind_of(value)
        if kind in _PLAIN:
            return value
        if kind is tuple:
            return ["tuple", *map(self.of, value)]
        if isinstance(value, ModuleType):
            return ["module", value.__name__]
        if isinstance(value, _WITHOUT_STATE):
            return ["of", kind.__qualname__]
        if inspect.isclass(value):
            return self._of_class(value)
        if inspect.isroutine(value) or isinstance(value, functools.partial):
            return self._of_routine(value)
        wrapped = getattr(value, "__dict__", {}).get("__wrapped__")
        return self.of(wrapped) if callable(wrapped) else self._of_object(value)

    def _of_cell(self, function: FunctionType, name: str, cell: CellType) -> Any:
        contents: Any = _UNBOUND
        with contextlib.suppress(ValueError):
            contents = cell.cell_contents
        if self._is_first and binds_anew(function.__code__, name):
            self._cells[id(cell)] = (cell, contents)
        _, contents = self._cells.get(id(cell), (cell, contents))
        if contents is _UNBOUND:
            return ["unbound"]
        try:
            return self.of(contents)
        except CodecError as error:
            raise CodecError(f"in the captured variable {name!r}, {error}") from error

    def _of_class(self, cls: type) -> list[Any]:
        """Return the name of a class; of one that a function has made, its attributes too."""
        name = name_of(cls)
        if is_reachable(cls) or self._again(cls):
            return ["class", name]
        bases = [self.of(base) for base in cls.__bases__]
        members = [[name, self.of(member)] for name, member in _members_of(cls)]
        return ["class", name, fingerprint(cls), bases, members]

    def _of_routine(self, value: Any) -> list[Any]:
        target, bound = unbind(value)
        code = code_of(target)
        name = f"{getattr(target, '__module__', '')}.{getattr(target, '__qualname__', '')}"
        text = digest_of_code(code) if code else ""
        return ["function", name, text, *map(self.of, bound), *self.of_function(target)]

    def _of_object(self, value: Any) -> list[Any]:
        if number := self._again(value):
            return ["again", number]
        if len(self._seen) > _PARTS_MAX:
            raise CodecError(f"a {type(value).__qualname__} is one of too many values")
        _, state = self._states.get(id(value)) or (value, _state_of(value))
        if self._is_first:
            self._states[id(value)] = (value, state)
        self._parts.append(state)
        marks = [self.of(part) for part in state]
        kind = _kind_of(value)
        if kind in (set, frozenset):  # whose order is another in each process
            marks.sort(key=repr)
        return [name_of(kind), *marks]

    def _again(self, value: object) -> int:
        """Return the number of a value that the walk has met before, 0 for a new one."""
        if id(value) in self._seen:
            return self._seen[id(value)][0]
        self._seen[id(value)] = (len(self._seen) + 1, value)
        return 0


_UNBOUND: Final = object()


def _cells_of(function: FunctionType) -> list[tuple[str, CellType]]:
    return list(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))


def _members_of(cls: type) -> Iterator[tuple[str, Any]]:
    """Give the attributes of a class that its code has made."""
    for name, member in vars(cls).items():
        if isinstance(member, property):
            yield name, (member.fget, member.fset, member.fdel)
        elif isinstance(member, (FunctionType, classmethod, staticmethod)) or not (
            name.startswith("__") or name == "_abc_impl" or inspect.isdatadescriptor(member)
        ):
            yield name, member


def _state_of(value: Any) -> tuple[Any, ...]:
    """Return the parts of an object: its class, and what its class makes it of again."""
    kind = _kind_of(value)
    if kind is dict:
        return tuple(value.items())
    if kind in (list, set, frozenset):
        return tuple(value)
    try:
        reduced: str | tuple[Any, ...] = value.__reduce_ex__(4)
        if isinstance(reduced, str):  # the name of a global
            return (str(getattr(value, "__module__", "")), reduced)
        return tuple(map(_read, reduced))
    except Exception as error:  # of the class's own code, or of one whose state is in C
        raise CodecError(f"a {kind.__qualname__} cannot be told from others: {error}") from error


def _kind_of(value: object) -> type[Any]:
    return type(value)


def _read(part: Any) -> Any:
    given: object = part
    return tuple(part) if isinstance(given, Iterator) else part
