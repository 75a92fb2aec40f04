"""A function whose calls are durable."""

from __future__ import annotations

__all__ = ["BoundTask", "Task", "task"]

import functools
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, cast, overload

from penstock.runtime.deprecation import renamed
from penstock.runtime.engine.function.step_function import OnChange, StepFunction
from penstock.runtime.engine.step import current, current_branch
from penstock.runtime.engine.waiting.future import StepFuture
from penstock.runtime.errors import OutsideRunError
from penstock.runtime.types.cache import CachePolicy, checked_policy
from penstock.runtime.types.retry import Retries, normalize
from penstock.runtime.types.timeout import Timeouts, policy_of

P = ParamSpec("P")
Q = ParamSpec("Q")
T = TypeVar("T")


class Task(StepFunction, Generic[P, T]):
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
        was: str | Iterable[str] = (),
    ) -> None:
        super().__init__(
            function,
            name=name,
            retry_policy=retry_policy,
            cache_policy=cache_policy,
            timeout=timeout,
            on_change=on_change,
            queue=queue,
            was=was,
        )
        self.func = self.function
        functools.update_wrapper(self, self.function, updated=())
        self.__name__ = self.name

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> StepFuture[T]:
        """Start a step; it runs at once, the future holds its outcome.

        Raises:
            OutsideRunError: no run is active here.
            ReplayError: the run recorded this step with other arguments.
        """
        branch = current.get(None)
        if branch is None:
            raise OutsideRunError(f"task {self.name!r}")
        return branch.scope.step.runner.call(branch, self, args, kwargs)

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> Self: ...
    @overload
    def __get__(
        self: Task[Concatenate[Any, Q], T], instance: object, owner: type[Any] | None = None
    ) -> BoundTask[Q, T]: ...
    def __get__(self, instance: object, owner: type[Any] | None = None) -> Any:
        """Return the task bound to the object or the class whose method it is."""
        receiver = owner if self.binds == "class" else instance
        if receiver is None or self.binds == "nothing":
            return self
        bound: Any = BoundTask(cast("Task[Any, Any]", self), receiver)
        return bound

    def keyed(self, key: str) -> Callable[P, StepFuture[T]]:
        """Return the task as it is called under an explicit key, which replaces its number.

        Use it for calls whose order may differ between attempts: the key finds the outcome.
        """

        def call(*args: P.args, **kwargs: P.kwargs) -> StepFuture[T]:
            branch = current_branch(f"task {self.name!r}")
            return branch.scope.step.runner.call(branch, self, args, kwargs, str(key))

        return call

    def __repr__(self) -> str:
        return f"<task {self.name!r}>"


class BoundTask(Generic[P, T]):
    """A task bound to an object of its class: a call passes the object first, as for a method.

    The object is an argument like any other: if it cannot be stored, the calls are identified by
    their path alone, and are not cached without a `key_func`.
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
    was: str | Iterable[str] = (),
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
    was: str | Iterable[str] = (),
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
    was: str | Iterable[str] = (),
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
    was: str | Iterable[str] = (),
    retry: Retries = None,
) -> Any:
    """Declare a task: `@task`, `@task(name=...)` or `task(function, ...)`.

    `retry_policy` is a number of attempts, a RetryPolicy or several; `cache_policy` keeps values
    for other runs, in the entrypoint's cache; `timeout` is seconds or a TimeoutPolicy, for each
    try (a sync function needs a run on a loop, as on workers); `on_change` chooses what a replay
    does if the arguments differ from the recorded ones: raise ReplayError, or execute the step
    again. `queue` is the queue whose workers execute the steps of runs of other queues. `was` is
    the name, or the names, that the task had before: open runs keep what they recorded under them.

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
            was=was,
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
