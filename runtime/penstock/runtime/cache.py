"""Outcomes that outlive their run: what a task returned for the same arguments before."""

from __future__ import annotations

__all__ = ["Cache", "CachePolicy", "CachedCall", "cache_key", "cache_namespace"]

import functools
import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import Any, Protocol, TypeAlias, cast

from penstock.publisher.canonical import canonical
from penstock.publisher.codec import Codec
from penstock.publisher.errors import CodecError
from penstock.runtime.errors import ConfigurationError, WrongKindError

FullKey: TypeAlias = tuple[tuple[str, ...], str]
"""A namespace, which is one task's, and the key of one call in it."""


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """That a task's values are kept for other runs; errors never are.

    `key_func` gets the arguments of a call and returns its key (default: a digest of them all,
    the same for `f(1)` and `f(x=1)`); `ttl` is in seconds, None for ever.
    """

    key_func: Callable[..., str | bytes] | None = None
    ttl: float | None = None

    def __post_init__(self) -> None:
        if self.ttl is not None and not self.ttl > 0:
            raise ConfigurationError(
                f"a ttl is a positive number of seconds, or None for ever, not {self.ttl!r}."
            )


class Cache(Protocol):
    """Where such values are kept, as encoded text."""

    def get(self, keys: Sequence[FullKey]) -> Mapping[FullKey, str]:
        """Return those that are there."""
        ...

    def set(self, pairs: Mapping[FullKey, tuple[str, float | None]]) -> None:
        """Keep texts, each with its seconds to live."""
        ...

    def clear(self, namespaces: Sequence[tuple[str, ...]] | None = None) -> None:
        """Forget the given namespaces, or everything."""
        ...


class CachedCall:
    """One call of a cached task: where its value is kept, and for how long."""

    def __init__(self, cache: Cache, key: FullKey, ttl: float | None, codec: Codec) -> None:
        self._cache = cache
        self._key = key
        self._ttl = ttl
        namespace, name = key
        self._codec = codec.at(*namespace, name)

    def find(self) -> tuple[Any] | None:
        """Return the value that is kept, in a tuple of its own, or None."""
        text = self._cache.get([self._key]).get(self._key)
        try:
            return (self._codec.loads(text),) if text is not None else None
        except CodecError:
            return None  # of another version of the code: as good as not there

    def keep(self, value: Any) -> None:
        """Keep a value for other calls."""
        self._cache.set({self._key: (self._codec.dumps(value, "cached value"), self._ttl)})


def cache_namespace(name: str, function: Callable[..., Any], codec: Codec) -> tuple[str, ...]:
    """Name the namespace of a task: its function, its name, and what the function is bound to.

    Raises:
        ConfigurationError: what it is bound to cannot be told from another of its kind.
    """
    target, bound = _unbind(function)
    path = f"{getattr(target, '__module__', '?')}.{getattr(target, '__qualname__', name)}"
    if path.endswith("<lambda>"):
        path += f":{_digest(_text_of(target.__code__))}"
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


def cache_key(
    policy: CachePolicy,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    codec: Codec,
) -> str:
    """Return the key of one call.

    Raises:
        CodecError: an argument has no digest, and the policy no `key_func`.
    """
    if policy.key_func is not None:
        key: Any = policy.key_func(*args, **kwargs)
        if not isinstance(key, (str, bytes)):
            raise WrongKindError(f"a key_func returns a str or bytes, not {key!r}.")
        return codec.digests(key if isinstance(key, str) else key.hex(), 16)[0]
    try:
        call = inspect.signature(function).bind(*args, **kwargs)
        call.apply_defaults()
        given: Any = [list(call.args), dict(sorted(call.kwargs.items()))]
    except (TypeError, ValueError):
        given = [list(args), dict(sorted(kwargs.items()))]
    text = codec.plain.dumps(given, "arguments of a cached task")
    return codec.digests(canonical(text), 16)[0]


def _unbind(function: Callable[..., Any]) -> tuple[Callable[..., Any], list[Any]]:
    bound: list[Any] = []
    while isinstance(function, functools.partial):
        bound += [list(function.args), dict(function.keywords)]
        function = function.func
    owner = getattr(function, "__self__", None)
    if owner is not None and not inspect.isclass(owner) and not inspect.ismodule(owner):
        bound.append(owner)
    elif not inspect.isroutine(function) and not inspect.isclass(function):
        bound.append(function)
        function = type(function)
    for cell in cast("tuple[Any, ...]", getattr(function, "__closure__", None) or ()):
        bound.append(_mark(cell.cell_contents))
    return function, bound


def _mark(captured: Any) -> Any:
    """Return what tells a captured variable from another: a constant's value, else its name.

    What may change while the function lives, as a list does, is no part of what the function is.
    """
    if captured is None or isinstance(captured, (str, bytes, int, float, tuple, frozenset)):
        return cast(Any, captured)
    return getattr(captured, "__qualname__", type(captured).__qualname__)


def _text_of(code: CodeType) -> str:
    """Return what tells a function without a name from others."""
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
