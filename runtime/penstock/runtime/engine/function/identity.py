"""Identity of a cached function: its name, its code, and what it is bound to."""

from __future__ import annotations

__all__ = ["Identity"]

from collections.abc import Callable
from typing import Any

from penstock.publisher.codec.codec import Codec
from penstock.publisher.errors import CodecError
from penstock.runtime.engine.function.captured import Captured
from penstock.runtime.engine.function.code import code_of, digest, digest_of_code, unbind
from penstock.runtime.errors import ConfigurationError


class Identity:
    """Names the namespace that a cache keeps for one function, the same in every process.

    Captured variables count with the values that they have when the namespace is first asked for;
    one that the function itself binds anew, as a counter, with the value at the declaration. What
    can change, as a list does, counts with its contents at the declaration.
    """

    def __init__(self, function: Callable[..., Any], *, is_cached: bool = True) -> None:
        self._function = function
        self._path = ""
        self._marks: list[Any] | None = None
        self._captured = Captured()
        if is_cached:
            self._captured.remember(unbind(function)[0])

    def namespace(self, name: str, codec: Codec) -> tuple[str, ...]:
        """Return the namespace of a task: its function, its name, and what it is bound to.

        Raises:
            ConfigurationError: what it is bound to cannot be told from another of its kind.
        """
        target, bound = unbind(self._function)
        self._path = path = self._path or _path(target, name)
        captured = self._captured  # first, as another thread may drop it
        try:
            if self._marks is None:
                self._marks = captured.marks(target, bound=bound)
                self._captured = Captured()  # what was remembered is not needed any more
            marks = [each for each in bound if not isinstance(each, type)] + self._marks
            return (path, name, digest(codec.plain.dumps(marks))) if marks else (path, name)
        except (CodecError, RecursionError) as error:
            raise ConfigurationError(
                f"task {name!r} cannot be cached: its function is bound to something that has no "
                f"digest ({error}). Cache a plain function, and give it what it needs as arguments "
                "(those that CachePolicy(key_func=...) leaves out need no digest), or as variables "
                "of its module."
            ) from error


def _path(target: Any, name: str) -> str:
    path = f"{getattr(target, '__module__', '?')}.{getattr(target, '__qualname__', name)}"
    code = code_of(target)
    return path if code is None else f"{path}:{digest_of_code(code)}"
