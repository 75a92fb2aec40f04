"""What a step executes: a function, and how its calls are named, retried, timed and cached."""

from __future__ import annotations

__all__ = ["OnChange", "StepFunction", "failing"]

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Literal, NoReturn, TypeAlias, get_args

from penstock.publisher.codec.codec import Codec
from penstock.publisher.codec.registry import registered
from penstock.runtime.engine.function.declared_tasks import declared
from penstock.runtime.engine.function.functions import (
    declared_in,
    function_name,
    is_async,
    reject_generator,
    unbound,
)
from penstock.runtime.engine.function.identity import Identity
from penstock.runtime.engine.function.parameters import injectable
from penstock.runtime.errors import ConfigurationError, WrongKindError
from penstock.runtime.journal.step_id import label
from penstock.runtime.types.cache import Cache, CachedCall, CachePolicy, cache_key, checked_policy
from penstock.runtime.types.queue import checked_queue
from penstock.runtime.types.retry import Retries, normalize
from penstock.runtime.types.timeout import Timeouts, policy_of

OnChange: TypeAlias = Literal["raise", "rerun"]


class StepFunction:
    """A user's function as steps execute it: that of a task, or the body of an entrypoint."""

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        retry_policy: Retries = None,
        cache_policy: CachePolicy | None = None,
        timeout: Timeouts = None,
        on_change: OnChange = "raise",
        queue: str = "",
        was: str | Iterable[str] = (),
    ) -> None:
        function, self.binds = unbound(function)
        if not callable(function):
            raise WrongKindError(
                f"a task is made of a function, not of {function!r}; a name is given as "
                "@task(name=...)."
            )
        self.function = function
        self.name = name or function_name(function)
        self.label = label(self.name)
        self.was = old_names(was, self.name)
        self.old_labels = tuple(map(label, self.was))
        self.policies = normalize(retry_policy)
        self.cache_policy = checked_policy(cache_policy)
        self.identity = Identity(function, is_cached=cache_policy is not None)
        self.timeout = policy_of(timeout)
        if on_change not in get_args(OnChange):
            raise ConfigurationError(f'on_change is "raise" or "rerun", not {on_change!r}.')
        self.on_change: OnChange = on_change
        self.queue = checked_queue(queue) if queue else ""
        if queue and (owner := declared_in(function)):
            raise ConfigurationError(
                f"task {self.name!r} has a queue and is declared in class {owner!r}, where the "
                "workers of that queue do not find it: declare it at the top level of a module, "
                "and give it what it needs of the object as arguments."
            )
        self.is_async = is_async(function)
        self.injects = injectable(function)
        reject_generator(function, f"task {self.name!r}")
        registered.scan(function)
        declared.add(self)

    def cached_call(
        self,
        cache: Cache | None,
        codec: Codec,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> CachedCall | None:
        """Return where a call's value is cached, None if it is not.

        Raises:
            ConfigurationError, CodecError: nothing tells this call from others.
        """
        policy = self.cache_policy
        if policy is None or cache is None:
            return None
        codec = codec.at("cache")
        namespace = self.identity.namespace(self.name, codec)
        key = cache_key(policy, self.function, args, kwargs, codec)
        return CachedCall(cache, (namespace, key), policy.ttl, codec)

    def clear_cache(self, cache: Cache | None) -> None:
        """Forget the values that a cache keeps of this task.

        Raises:
            ConfigurationError: there is no cache.
        """
        if cache is None:
            raise ConfigurationError(
                f"there is no cache to clear of {self.name!r}: declare the entrypoint with cache=."
            )
        cache.clear([self.identity.namespace(self.name, Codec())])

    async def aclear_cache(self, cache: Cache | None) -> None:
        """As `clear_cache`."""
        await asyncio.to_thread(self.clear_cache, cache)


def old_names(was: str | Iterable[str], name: str) -> tuple[str, ...]:
    """Check the names that a task had before.

    Raises:
        ConfigurationError: one is no name, or is the one that it has.
    """
    names: tuple[Any, ...] = (was,) if isinstance(was, str) else tuple(was)
    for old in names:
        if not isinstance(old, str) or not old:
            raise ConfigurationError(f"task {name!r} was called {old!r}, which is no name.")
        if old == name:
            raise ConfigurationError(
                f"task {name!r} still has the name that was={old!r} says it had before."
            )
    return names


def failing(name: str, error: BaseException) -> StepFunction:
    """Return a body that raises an error: so it is recorded as any other error of a run is."""

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise error

    return StepFunction(refuse, name=name)
