"""The tasks that exist in this process, wherever they were declared."""

from __future__ import annotations

__all__ = ["Declared", "declared", "names_task"]

import functools
import inspect
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any, Protocol
from weakref import WeakSet


class Declaration(Protocol):
    """The fields of a task that are used here."""

    @property
    def name(self) -> str:
        """What steps are called by."""
        ...

    @property
    def was(self) -> tuple[str, ...]:
        """What they were called by before."""
        ...

    @property
    def function(self) -> Callable[..., Any]:
        """What it executes."""
        ...

    @property
    def on_change(self) -> str:
        """What a replay does where the arguments have changed."""
        ...


class Declared:
    """Knows tasks for as long as they exist, also those made in functions, dicts and classes.

    Held by nobody's app: whether a recorded step can still be asked for is a question about all of
    the code that a run may get to, which names tasks in any way that Python allows.
    """

    def __init__(self) -> None:
        self._tasks: WeakSet[Declaration] = WeakSet()

    def add(self, task: Declaration) -> None:
        """Know a task until it is gone."""
        self._tasks.add(task)

    def named(self, name: str) -> list[Declaration]:
        """Return the tasks that have a name, or had it before."""
        return [task for task in self._all() if name in (task.name, *task.was)]

    def renamed(self, code: CodeType) -> bool:
        """Tell whether the task that is made of some code goes by another name than the code's."""
        names = [task.name for task in self._all() if _code_of(task.function) is code]
        return bool(names) and code.co_name not in names

    def _all(self) -> list[Declaration]:
        while True:
            try:
                return list(self._tasks)
            except RuntimeError:  # another thread has declared one meanwhile
                continue


declared = Declared()


def names_task(function: Callable[..., Any], name: str) -> bool:
    """Tell whether a function may yet declare a task of a name: it has a function or text of it."""
    code = _code_of(function)
    return code is not None and any(_is_named(part, name) for part in _parts(code))


def _is_named(part: object, name: str) -> bool:
    if isinstance(part, CodeType):
        return part.co_name == name and not declared.renamed(part)
    return part == name


def _parts(code: CodeType) -> Iterator[object]:
    for part in code.co_consts:
        yield part
        if isinstance(part, CodeType):
            yield from _parts(part)


def _code_of(function: Callable[..., Any]) -> CodeType | None:
    while isinstance(function, functools.partial):
        function = function.func
    called: Any = inspect.unwrap(function)
    if not inspect.isroutine(called):
        called = type(called).__call__
    code = getattr(called, "__code__", None)
    return code if isinstance(code, CodeType) else None
