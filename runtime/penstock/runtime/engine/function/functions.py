"""What can be told of a function of the user's: its name, its class, whether it is async."""

from __future__ import annotations

__all__ = ["Binds", "declared_in", "function_name", "is_async", "reject_generator", "unbound"]

import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from penstock.runtime.errors import GeneratorError

Binds: TypeAlias = Literal["object", "class", "nothing"]
"""What a function that is found in a class gets as its first argument."""


def function_name(function: Callable[..., Any]) -> str:
    """Return the name a callable goes by: its own, its partial's function's, or its class's."""
    if isinstance(function, functools.partial):
        return function_name(function.func)
    return str(getattr(function, "__name__", type(function).__name__))


def is_async(function: Callable[..., Any]) -> bool:
    """Tell whether calling the function gives a coroutine."""
    if isinstance(function, functools.partial):
        return is_async(function.func)
    if inspect.iscoroutinefunction(function):
        return True
    call = type(function).__call__
    return not inspect.isclass(function) and inspect.iscoroutinefunction(call)


def reject_generator(function: Callable[..., Any], what: str) -> None:
    """Refuse functions that yield, as a generator cannot be recorded.

    Raises:
        GeneratorError: it does.
    """
    called = function.func if isinstance(function, functools.partial) else function
    if not (inspect.isroutine(called) or inspect.isclass(called)):
        called = type(called).__call__
    if inspect.isgeneratorfunction(called) or inspect.isasyncgenfunction(called):
        raise GeneratorError(
            f"{what} is a generator function; return a list, "
            "or send parts with get_stream_writer() as they come."
        )


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
