"""A function whose calls are durable."""

from __future__ import annotations

__all__ = ["Task", "task"]

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import (
    Any,
    Concatenate,
    Generic,
    Literal,
    ParamSpec,
    Self,
    TypeVar,
    cast,
    get_args,
    overload,
)

from penstock.publisher.codec import Codec
from penstock.publisher.registry import registered
from penstock.runtime.cache import (
    Cache,
    CachedCall,
    CachePolicy,
    cache_key,
    checked_policy,
)
from penstock.runtime.declared import declared
from penstock.runtime.deprecation import renamed
from penstock.runtime.errors import ConfigurationError, GeneratorError, WrongKindError
from penstock.runtime.future import StepFuture
from penstock.runtime.identity import Identity
from penstock.runtime.inject import injectable
from penstock.runtime.lineage import label
from penstock.runtime.method import BoundTask, declared_in, unbound
from penstock.runtime.queue import checked_queue
from penstock.runtime.retry import Retries, normalize
from penstock.runtime.scope import current_branch
from penstock.runtime.timeout import Timeouts, policy_of

P = ParamSpec("P")
Q = ParamSpec("Q")
T = TypeVar("T")

OnChange = Literal["raise", "rerun"]


class Task(Generic[P, T]):
    """A decorated function; calling it inside a run starts a step and returns its future."""

    def __init__(
        self,
        function: Callable[P, T | Awaitable[T]],
        *,
        name: str | None = None,
        retry_policy: Retries = None,
        cache_policy: CachePolicy | None = None,
        timeout: Timeouts = None,
        on_change: OnChange = "raise",
        queue: str = "",
    ) -> None:
        function, self.binds = unbound(function)
        if not callable(function):
            raise WrongKindError(
                f"a task is made of a function, not of {function!r}; a name is given as "
                "@task(name=...)."
            )
        self.function = self.func = function
        self.name = name or function_name(function)
        self.label = label(self.name)
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
        functools.update_wrapper(self, function, updated=())
        self.__name__ = self.name
        declared.add(self)

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> StepFuture[T]:
        """Start a step; it runs at once, the future holds its outcome.

        Raises:
            OutsideRunError: no run is active here.
            ReplayError: the run recorded this step with other arguments.
        """
        branch = current_branch(f"task {self.name!r}")
        return branch.scope.step.runner.call(branch, self, args, kwargs)

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> Self: ...
    @overload
    def __get__(
        self: Task[Concatenate[Any, Q], T], instance: object, owner: type[Any] | None = None
    ) -> BoundTask[Q, T]: ...
    def __get__(self, instance: object, owner: type[Any] | None = None) -> Any:
        """Return the task as an object or a class has it, whose method it is."""
        receiver = owner if self.binds == "class" else instance
        if receiver is None or self.binds == "nothing":
            return self
        bound: Any = BoundTask(cast("Task[Any, Any]", self), receiver)
        return bound

    def keyed(self, key: str) -> Callable[P, StepFuture[T]]:
        """Return the task as it is called under an explicit key, which replaces its number.

        For calls whose order may differ between attempts: the key finds the recorded outcome.
        """

        def call(*args: P.args, **kwargs: P.kwargs) -> StepFuture[T]:
            branch = current_branch(f"task {self.name!r}")
            return branch.scope.step.runner.call(branch, self, args, kwargs, str(key))

        return call

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

    def __repr__(self) -> str:
        return f"<task {self.name!r}>"


@overload
def task(function: Callable[P, Awaitable[T]], /) -> Task[P, T]: ...
@overload
def task(function: Callable[P, T], /) -> Task[P, T]: ...
@overload
def task(
    function: Callable[P, Awaitable[T]],
    /,
    *,
    name: str | None = None,
    retry_policy: Retries = None,
    cache_policy: CachePolicy | None = None,
    timeout: Timeouts = None,
    on_change: OnChange = "raise",
    queue: str = "",
    retry: Retries = None,
) -> Task[P, T]: ...
@overload
def task(
    function: Callable[P, T],
    /,
    *,
    name: str | None = None,
    retry_policy: Retries = None,
    cache_policy: CachePolicy | None = None,
    timeout: Timeouts = None,
    on_change: OnChange = "raise",
    queue: str = "",
    retry: Retries = None,
) -> Task[P, T]: ...
@overload
def task(
    *,
    name: str | None = None,
    retry_policy: Retries = None,
    cache_policy: CachePolicy | None = None,
    timeout: Timeouts = None,
    on_change: OnChange = "raise",
    queue: str = "",
    retry: Retries = None,
) -> _Decorator: ...
def task(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    retry_policy: Retries = None,
    cache_policy: CachePolicy | None = None,
    timeout: Timeouts = None,
    on_change: OnChange = "raise",
    queue: str = "",
    retry: Retries = None,
) -> Any:
    """Declare a task: `@task`, `@task(name=...)` or `task(function, ...)`.

    `retry_policy` is a number of attempts, a RetryPolicy or several; `cache_policy` keeps values
    for other runs, in the entrypoint's cache; `timeout` is seconds or a TimeoutPolicy, for each
    try (a sync function needs a run on a loop, as on workers); `on_change` says what a replay does
    when the arguments are not those recorded: raise ReplayError, or run the step again. `queue`
    names the queue whose workers perform the steps of a run that was enqueued on another one.

    Raises:
        ConfigurationError: the function cannot be a task.
    """
    retry_policy = normalize(renamed(retry_policy, retry, old="retry", new="retry_policy"))
    timeout = policy_of(timeout)
    checked_policy(cache_policy)

    def decorate(function: Callable[..., Any]) -> Task[..., Any]:
        return Task(
            function,
            name=name,
            retry_policy=retry_policy,
            cache_policy=cache_policy,
            timeout=timeout,
            on_change=on_change,
            queue=queue,
        )

    return decorate if function is None else decorate(function)


class _Decorator:
    """The type of `task(...)` with options: a decorator for sync and async functions."""

    @overload
    def __call__(self, function: Callable[P, Awaitable[T]], /) -> Task[P, T]: ...
    @overload
    def __call__(self, function: Callable[P, T], /) -> Task[P, T]: ...
    def __call__(self, function: Callable[..., Any], /) -> Any:
        """Declare the function a task."""


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
