"""The function that a run executes, and what can be done with it in this process."""

from __future__ import annotations

__all__ = ["AnyEntrypoint", "Entrypoint", "entrypoint"]

import dataclasses
import functools
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any, Generic, Literal, TypeAlias, TypeVar, cast, get_type_hints, overload

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from penstock.runtime.cache import Cache
from penstock.runtime.checkpointer import Checkpointer
from penstock.runtime.engine import Result
from penstock.runtime.errors import ConfigurationError, InputError
from penstock.runtime.final import Final
from penstock.runtime.interrupt import Command, Interrupt
from penstock.runtime.invocation import Invocation, Options
from penstock.runtime.journal import Durability
from penstock.runtime.nesting import ainvoke_nested, invoke_nested, nested
from penstock.runtime.retry import Retries
from penstock.runtime.task import Task, function_name, reject_generator
from penstock.runtime.threads import Threads
from penstock.runtime.timeout import Timeouts
from penstock.runtime.view import INTERRUPT

A = TypeVar("A")
R = TypeVar("R")
V = TypeVar("V")
S = TypeVar("S")

Config = Mapping[str, Any]


class Entrypoint(Generic[A, R]):
    """A workflow: the decorated function with a stable name; run it here or on workers."""

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        checkpointer: Checkpointer | None = None,
        store: Any = None,
        cache: Cache | None = None,
        context_schema: Any = None,
        retry_policy: Retries = None,
        timeout: Timeouts = None,
    ) -> None:
        self.name = name or function_name(function)
        reject_generator(function, f"entrypoint {self.name!r}")
        parameters = list(inspect.signature(function).parameters.values())
        if not parameters:
            raise ConfigurationError(
                f"entrypoint {self.name!r} must have at least one parameter: the input."
            )
        self.body: Task[..., Any] = Task(
            function, name=self.name, retry_policy=retry_policy, timeout=timeout
        )
        self.checkpointer = checkpointer
        self.store = store
        self.cache = cache
        self.context_schema = context_schema
        self.threads = Threads()
        self._input = parameters[0].name
        functools.update_wrapper(self, function, updated=())

    @overload
    def invoke(
        self,
        input: A | Command | None,
        config: Config | None = None,
        *,
        context: Any = None,
        durability: Durability | None = None,
    ) -> R: ...
    @overload
    def invoke(
        self,
        input: A | Command | None,
        config: Config | None = None,
        *,
        context: Any = None,
        durability: Durability | None = None,
        stream_mode: str | Sequence[str],
    ) -> Any: ...
    def invoke(
        self,
        input: A | Command | None,
        config: Config | None = None,
        *,
        context: Any = None,
        durability: Durability | None = None,
        stream_mode: str | Sequence[str] = "values",
    ) -> Any:
        """Run in this thread and return the result, or `{"__interrupt__": [...]}` if it waits.

        With another `stream_mode` than `values`, returns the list of all chunks.

        Raises:
            EmptyInputError: the input is None and there is nothing to resume.
            ResumeError: the Command answers nothing that is asked.
        """
        self._reject_async("invoke")
        if nested(config):
            return invoke_nested(self, input)
        if stream_mode != "values":
            return list(
                self.stream(
                    input,
                    config,
                    context=context,
                    durability=durability,
                    stream_mode=stream_mode,
                )
            )
        options = Options(config or {}, context, durability=durability)
        return _returned(Invocation(self, input, options).run())

    async def ainvoke(
        self,
        input: A | Command | None,
        config: Config | None = None,
        *,
        context: Any = None,
        durability: Durability | None = None,
        stream_mode: str | Sequence[str] = "values",
    ) -> Any:
        """As `invoke`, on the running loop; a sync body runs in a thread."""
        if nested(config):
            return await ainvoke_nested(self, input)
        if stream_mode != "values":
            chunks = self.astream(
                input, config, context=context, durability=durability, stream_mode=stream_mode
            )
            return [chunk async for chunk in chunks]
        options = Options(config or {}, context, durability=durability)
        return _returned(await Invocation(self, input, options).arun())

    def stream(
        self,
        input: A | Command | None,
        config: Config | None = None,
        *,
        context: Any = None,
        stream_mode: str | Sequence[str] | None = None,
        subgraphs: bool = False,
        durability: Durability | None = None,
        version: Literal["v1", "v2"] = "v1",
    ) -> Iterator[Any]:
        """Run, and give the chunks of one stream mode, or `(mode, chunk)` for a list of modes."""
        self._reject_async("stream")
        options = Options(config or {}, context, stream_mode, subgraphs, durability, version)
        return Invocation(self, input, options).stream()

    def astream(
        self,
        input: A | Command | None,
        config: Config | None = None,
        *,
        context: Any = None,
        stream_mode: str | Sequence[str] | None = None,
        subgraphs: bool = False,
        durability: Durability | None = None,
        version: Literal["v1", "v2"] = "v1",
    ) -> AsyncIterator[Any]:
        """As `stream`, on the running loop."""
        options = Options(config or {}, context, stream_mode, subgraphs, durability, version)
        return Invocation(self, input, options).astream()

    def accept(self, value: Any) -> Any:
        """Return an input in the form its annotation asks for; used where it crosses processes.

        Raises:
            InputError: pydantic refuses it; its own detail is in the message.
        """
        adapter = self._adapter
        if adapter is None:
            return value
        try:
            return adapter.validate_python(value)
        except ValidationError as error:
            raise InputError(
                f"the input of entrypoint {self.name!r} is refused: {error}"
            ) from error

    def accept_context(self, value: Any) -> Any:
        """Return a run's context as its schema has it: a dict becomes a dataclass or a model.

        Raises:
            InputError: it does not fit.
        """
        schema: Any = self.context_schema
        if not isinstance(value, dict) or not isinstance(schema, type):
            return cast(Any, value)
        if not (dataclasses.is_dataclass(schema) or issubclass(schema, BaseModel)):
            return cast(Any, value)
        try:
            return schema(**cast("dict[str, Any]", value))
        except (TypeError, ValueError) as error:
            raise InputError(f"the context of {self.name!r} is refused: {error}") from error

    def thread_of(self, config: Config) -> str:
        """Return the thread that a config names, "" if none.

        Raises:
            ConfigurationError: there is a checkpointer and no thread to keep the run under.
        """
        thread_id = config.get("configurable", {}).get("thread_id")
        if thread_id is None or thread_id == "":
            if self.checkpointer is None:
                return ""
            raise ConfigurationError(
                f"entrypoint {self.name!r} has a checkpointer, so the config must name a thread: "
                '{"configurable": {"thread_id": "..."}}'
            )
        return str(thread_id)

    @functools.cached_property
    def _adapter(self) -> TypeAdapter[Any] | None:
        try:
            hints = get_type_hints(self.body.function, include_extras=True)
            return TypeAdapter(hints[self._input]) if self._input in hints else None
        except (NameError, TypeError, PydanticUserError):
            return None

    def _reject_async(self, method: str) -> None:
        if self.body.is_async:
            raise TypeError(
                f"No synchronous function provided to {self.name!r}: it is async, "
                f"use a{method} instead of {method}."
            )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse: an entrypoint is not a function any more."""
        raise TypeError(
            f"entrypoint {self.name!r} is not called directly: "
            "use .invoke(input), .stream(input), or client.enqueue(entrypoint, input)."
        )

    def __repr__(self) -> str:
        return f"<entrypoint {self.name!r}>"


AnyEntrypoint: TypeAlias = Entrypoint[Any, Any]


def _returned(result: Result) -> Any:
    if result.error is not None:
        raise result.error
    if result.status == "suspended":
        interrupts: list[Interrupt] = list(result.interrupts)
        return {INTERRUPT: interrupts}
    return Final.split(result.value)[0]


class entrypoint:
    """Declare a workflow: `@entrypoint()` over a function whose first parameter is the input.

    `name` is what workers and clients know it by (default: the function's); `checkpointer` keeps
    its runs when it is invoked in this process; on workers the worker's Redis does. `cache` is
    where its tasks' cached values are, `context_schema` the class of what runs get as context.

    Raises:
        ConfigurationError: the function cannot be an entrypoint.
    """

    class final(Final[V, S]):
        """What a body returns: `value` is the run's result, `save` the next run's `previous`."""

        __slots__ = ()

    def __init__(
        self,
        *,
        name: str | None = None,
        checkpointer: Checkpointer | None = None,
        store: Any = None,
        cache: Cache | None = None,
        context_schema: Any = None,
        retry_policy: Retries = None,
        timeout: Timeouts = None,
    ) -> None:
        self._name = name
        self._checkpointer = checkpointer
        self._store = store
        self._cache = cache
        self._context_schema = context_schema
        self._retry_policy = retry_policy
        self._timeout = timeout

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
        return Entrypoint(
            function,
            name=self._name,
            checkpointer=self._checkpointer,
            store=self._store,
            cache=self._cache,
            context_schema=self._context_schema,
            retry_policy=self._retry_policy,
            timeout=self._timeout,
        )
