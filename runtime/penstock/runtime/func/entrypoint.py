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

    `name` is what workers and clients know it by (default: the function's); `checkpointer` keeps
    its runs when it is invoked in this process; on workers the worker's Redis does. Nested in a
    run of another it belongs to that run; False there records nothing of it, True lets it keep a
    `previous` of its own on the thread. `cache` is where cached values are, its own (with
    `cache_policy`) and those of its tasks; `context_schema` is the class of what runs get as
    context. `retry_policy`, `cache_policy` and `timeout` are for the body, not for its tasks.

    Raises:
        ConfigurationError: the function cannot be an entrypoint.
    """

    @register_type  # a cache keeps it as it is
    class final(Final[V, S]):
        """What a body returns: `value` is the run's result, `save` the next run's `previous`."""

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
