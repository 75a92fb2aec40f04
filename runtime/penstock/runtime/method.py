"""Tasks that are declared in classes: methods, class methods and static methods."""

from __future__ import annotations

__all__ = ["Binds", "BoundTask", "declared_in", "unbound"]

import inspect
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, Generic, Literal, ParamSpec, TypeAlias, TypeVar

if TYPE_CHECKING:
    from penstock.runtime.future import StepFuture
    from penstock.runtime.task import Task

P = ParamSpec("P")
T = TypeVar("T")

Binds: TypeAlias = Literal["object", "class", "nothing"]
"""What a function that is found in a class gets as its first argument."""


class BoundTask(Generic[P, T]):
    """A task as an object of its class has it: a call passes the object first, as of a method.

    The object is an argument like any other: if it has no stored form, the calls are told by their
    path alone, and are not cached without a `key_func`.
    """

    def __init__(self, task: Task[Concatenate[Any, P], T], receiver: object) -> None:
        self.task = task
        self.name = task.name
        self.__self__ = receiver
        self.__func__ = task
        self.__wrapped__ = task.function
        self.__name__ = task.name
        self.__doc__ = task.__doc__

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> StepFuture[T]:
        """Start a step, as a call of the task does."""
        return self.task(self.__self__, *args, **kwargs)

    def keyed(self, key: str) -> Callable[P, StepFuture[T]]:
        """Return the task as it is called under an explicit key, as `Task.keyed` does."""
        call = self.task.keyed(key)

        def bound(*args: P.args, **kwargs: P.kwargs) -> StepFuture[T]:
            return call(self.__self__, *args, **kwargs)

        return bound

    def __eq__(self, other: object) -> bool:
        given: Any = other
        if not isinstance(other, BoundTask):
            return NotImplemented
        return given.__self__ is self.__self__ and given.__func__ is self.__func__

    def __hash__(self) -> int:
        return hash((id(self.__self__), self.__func__))

    def __repr__(self) -> str:
        return f"<task {self.name!r} of {self.__self__!r}>"


def unbound(function: Any) -> tuple[Any, Binds]:
    """Return the function that a decorator was given, and what it binds when found in a class."""
    inner: Any = getattr(function, "__func__", None)
    if isinstance(function, staticmethod):
        return inner, "nothing"
    if isinstance(function, classmethod):
        return inner, "class"
    return function, "object" if inspect.isfunction(function) else "nothing"


def declared_in(function: Any) -> str:
    """Return the name of the class in whose body a function is being declared, "" for none."""
    path: str = getattr(function, "__qualname__", "")
    outer = path.rpartition(".")[0]
    if not inspect.isfunction(function) or not outer or outer.endswith("<locals>"):
        return ""
    found: Any = sys.modules.get(function.__module__)
    for part in outer.split("."):
        found = getattr(found, part, None)
    return "" if inspect.isclass(found) else outer
