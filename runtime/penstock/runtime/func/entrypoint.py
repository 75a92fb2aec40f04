"""How a function is declared an entrypoint."""

from __future__ import annotations

__all__ = ["entrypoint"]

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar, overload

from penstock.publisher.codec.registry import register_type
from penstock.runtime.deprecation import renamed
from penstock.runtime.errors import WrongKindError
from penstock.runtime.journal.checkpointer import Checkpointer
from penstock.runtime.types.cache import Cache, CachePolicy
from penstock.runtime.types.final import Final
from penstock.runtime.types.retry import Retries
from penstock.runtime.types.timeout import Timeouts
from penstock.runtime.workflow.definition import Declared
from penstock.runtime.workflow.entrypoint import Entrypoint

A = TypeVar("A")
R = TypeVar("R")
V = TypeVar("V")
S = TypeVar("S")


class entrypoint:
    """Declare a workflow: `@entrypoint()` over a function whose first parameter is the input.

    `name` is its name for workers and clients (default: the function's); `checkpointer` keeps its
    runs when it is invoked in this process, whereas a worker keeps runs in its Redis. A nested
    entrypoint belongs to the run that calls it; there, False records nothing of it, and True lets
    it keep a `previous` of its own on the thread. `cache` holds the cached values of its tasks, and
    its own if it has a `cache_policy`; `context_schema` is the class of the context of runs.
    `retry_policy`, `cache_policy` and `timeout` apply to the body, not to its tasks. A client that
    enqueues a run with the entrypoint itself, not by its name, takes `retention` and
    `retention_failed` from here: for how many seconds it is kept after its end, or if it fails.
    `version` is that of the code, in place of the setting; with `pin`, a run that has begun is only
    executed by workers that have the version it has begun with.

    Raises:
        ConfigurationError: the function cannot be an entrypoint.
    """

    @register_type  # a cache keeps it as it is
    class final(Final[V, S]):
        """Return value of a body: `value` is the run's result, `save` the next run's `previous`."""

        __slots__ = ()

    if not TYPE_CHECKING:

        def __new__(cls, *given: Any, **declared: Any) -> entrypoint:
            """Refuse the function itself, which comes where the parentheses were forgotten."""
            if given:
                raise WrongKindError("@entrypoint is written with parentheses: @entrypoint().")
            return super().__new__(cls)

    def __init__(
        self,
        *,
        name: str | None = None,
        checkpointer: Checkpointer | bool | None = None,
        store: Any = None,
        cache: Cache | None = None,
        context_schema: Any = None,
        cache_policy: CachePolicy | None = None,
        retry_policy: Retries = None,
        timeout: Timeouts = None,
        retention: float | None = None,
        retention_failed: float | None = None,
        version: str = "",
        pin: bool = False,
        config_schema: Any = None,
        retry: Retries = None,
    ) -> None:
        context_schema = renamed(
            context_schema, config_schema, old="config_schema", new="context_schema"
        )
        retry_policy = renamed(retry_policy, retry, old="retry", new="retry_policy")
        self._declared = Declared(
            name=name,
            checkpointer=checkpointer,
            store=store,
            cache=cache,
            context_schema=context_schema,
            cache_policy=cache_policy,
            retry_policy=retry_policy,
            timeout=timeout,
            retention=retention,
            retention_failed=retention_failed,
            version=version,
            pin=pin,
        )

    @overload
    def __call__(
        self, function: Callable[[A], Coroutine[Any, Any, Final[R, Any]]], /
    ) -> Entrypoint[A, R]: ...
    @overload
    def __call__(self, function: Callable[[A], Coroutine[Any, Any, R]], /) -> Entrypoint[A, R]: ...
    @overload
    def __call__(self, function: Callable[[A], Final[R, Any]], /) -> Entrypoint[A, R]: ...
    @overload
    def __call__(self, function: Callable[[A], R], /) -> Entrypoint[A, R]: ...
    @overload
    def __call__(self, function: Callable[..., R], /) -> Entrypoint[Any, R]: ...
    def __call__(self, function: Callable[..., Any], /) -> Entrypoint[Any, Any]:
        """Make the function an entrypoint."""
        return Entrypoint(function, self._declared)
