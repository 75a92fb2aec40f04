"""Code of functions: what tells it from other code, in every process."""

from __future__ import annotations

__all__ = ["binds_anew", "code_of", "digest", "digest_of_code", "unbind"]

import dis
import functools
import hashlib
import inspect
from collections.abc import Callable
from types import CodeType
from typing import Any, cast


def unbind(function: Callable[..., Any]) -> tuple[Any, list[Any]]:
    """Return the function that is called in the end, and what it gets besides its arguments."""
    bound: list[Any] = []
    while isinstance(function, functools.partial):
        bound += [list(function.args), dict(function.keywords)]
        function = function.func
    owner = getattr(function, "__self__", None)
    if owner is not None and not inspect.ismodule(owner):
        bound.append(owner)
    elif not inspect.isroutine(function) and not inspect.isclass(function):
        bound.append(function)
        return type(function), bound
    target = getattr(function, "__func__", function)
    wrapped = getattr(target, "__wrapped__", None)
    if inspect.isclass(target) or hasattr(target, "__code__") or not callable(wrapped):
        return target, bound
    target, more = unbind(wrapped)  # of functools.cache, whose own code is in C
    return target, bound + more


def code_of(target: Any) -> CodeType | None:
    """Return the code that a function, or an instance of a class, is called with."""
    call: Any = target.__call__ if inspect.isclass(target) else target
    code: Any = getattr(call, "__code__", None)
    return cast("CodeType | None", code)


def binds_anew(code: CodeType, name: str) -> bool:
    """Tell whether code, or a function inside it, binds a captured variable anew."""
    if name not in code.co_freevars:
        return False
    if any(each.opname == "STORE_DEREF" and each.argval == name for each in dis.Bytecode(code)):
        return True
    return any(binds_anew(part, name) for part in code.co_consts if isinstance(part, CodeType))


def digest_of_code(code: CodeType) -> str:
    """Return the digest of code, the same wherever the code stands in its file."""
    return digest(_text_of(code))


def digest(text: str) -> str:
    """Return a short digest of a text."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _text_of(code: CodeType) -> str:
    parts = [_text_of_part(part) for part in code.co_consts]
    return repr((code.co_code, code.co_names, code.co_varnames, code.co_freevars, parts))


def _text_of_part(part: Any) -> str:
    if isinstance(part, CodeType):
        return _text_of(part)
    if isinstance(part, frozenset):  # whose order is another in each process
        return repr(sorted(map(repr, cast("frozenset[object]", part))))
    return repr(part)
