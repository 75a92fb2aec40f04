"""Values that outlive their run: results of tasks for the same arguments."""

from __future__ import annotations

__all__ = [
    "BaseCache",
    "Cache",
    "CachePolicy",
    "CachedCall",
    "cache_key",
    "checked_policy",
]

import asyncio
import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from penstock.publisher.codec.canonical import canonical
from penstock.publisher.codec.codec import Codec
from penstock.publisher.errors import CodecError
from penstock.runtime.errors import ConfigurationError, WrongKindError
from penstock.runtime.types.labels import Labels

FullKey: TypeAlias = tuple[tuple[str, ...], str]
"""A namespace, which is one task's, and the key of one call in it."""


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """Keeps the values of a task for other runs; errors are never kept.

    `key_func` gets the arguments of a call and returns its key (default: a digest of them all,
    the same for `f(1)` and `f(x=1)`); `ttl` is in seconds, None for ever.
    """

    key_func: Callable[..., str | bytes] | None = None
    ttl: float | None = None

    def __post_init__(self) -> None:
        ttl: Any = self.ttl
        if ttl is not None and (isinstance(ttl, bool) or not isinstance(ttl, (int, float))):
            raise WrongKindError(f"a ttl is a number of seconds, or None for ever, not {ttl!r}.")
        if ttl is not None and not 0 < ttl < math.inf:
            raise ConfigurationError(
                f"a ttl is a positive number of seconds, or None for ever, not {ttl!r}."
            )
        func: Any = self.key_func
        if func is not None and (not callable(func) or inspect.iscoroutinefunction(func)):
            raise WrongKindError(
                "a key_func is a function that gets the arguments of a call and returns a str or "
                f"bytes, without await; it is not {func!r}."
            )


def checked_policy(policy: Any) -> CachePolicy | None:
    """Check a `cache_policy`, and return it.

    Raises:
        WrongKindError: it is not a CachePolicy.
    """
    if policy is not None and not isinstance(policy, CachePolicy):
        raise WrongKindError(
            f"cache_policy is a CachePolicy, as CachePolicy(ttl=60), not {policy!r}."
        )
    return policy


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


class BaseCache(ABC):
    """A cache with twins of its verbs for asyncio code, each of which waits in a thread."""

    @abstractmethod
    def get(self, keys: Sequence[FullKey]) -> Mapping[FullKey, str]:
        """Return those that are there."""

    @abstractmethod
    def set(self, pairs: Mapping[FullKey, tuple[str, float | None]]) -> None:
        """Keep texts, each with its seconds to live."""

    @abstractmethod
    def clear(self, namespaces: Sequence[Labels] | None = None) -> None:
        """Forget the given namespaces, or everything."""

    async def aget(self, keys: Sequence[FullKey]) -> Mapping[FullKey, str]:
        """As `get`."""
        return await asyncio.to_thread(self.get, keys)

    async def aset(self, pairs: Mapping[FullKey, tuple[str, float | None]]) -> None:
        """As `set`."""
        await asyncio.to_thread(self.set, pairs)

    async def aclear(self, namespaces: Sequence[Labels] | None = None) -> None:
        """As `clear`."""
        await asyncio.to_thread(self.clear, namespaces)


class CachedCall:
    """One call of a cached task: where its value is kept, and for how long."""

    def __init__(self, cache: Cache, key: FullKey, ttl: float | None, codec: Codec) -> None:
        self._cache = cache
        self._key = key
        self._ttl = ttl
        namespace, name = key
        self._codec = codec.at(*namespace, name)

    def find(self) -> tuple[Any] | None:
        """Return the cached value, in a tuple of one, or None."""
        text = self._cache.get([self._key]).get(self._key)
        try:
            return (self._codec.loads(text),) if text is not None else None
        except CodecError:
            return None  # of another version of the code: as good as not there

    def keep(self, value: Any) -> None:
        """Keep a value for other calls."""
        self._cache.set({self._key: (self._codec.dumps(value, "cached value"), self._ttl)})


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
