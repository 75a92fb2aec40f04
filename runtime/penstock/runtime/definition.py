"""What an entrypoint is made of: its body, the types of what goes in, where its runs are kept."""

from __future__ import annotations

__all__ = ["Config", "Declared", "Definition"]

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, cast, get_type_hints

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from penstock.runtime.cache import Cache
from penstock.runtime.checkpointer import Checkpointer
from penstock.runtime.errors import ConfigurationError, InputError
from penstock.runtime.retry import Retries
from penstock.runtime.task import Task, function_name, reject_generator
from penstock.runtime.threads import Threads
from penstock.runtime.timeout import Timeouts

Config: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What `@entrypoint(...)` was given."""

    name: str | None = None
    checkpointer: Checkpointer | None = None
    store: Any = None
    cache: Cache | None = None
    context_schema: Any = None
    retry_policy: Retries = None
    timeout: Timeouts = None


class Definition:
    """A function with a stable name, and what was declared of it."""

    def __init__(self, function: Callable[..., Any], declared: Declared) -> None:
        self.declared = declared
        self.name = declared.name or function_name(function)
        reject_generator(function, f"entrypoint {self.name!r}")
        parameters = list(inspect.signature(function).parameters.values())
        if not parameters:
            raise ConfigurationError(
                f"entrypoint {self.name!r} must have at least one parameter: the input."
            )
        self.body: Task[..., Any] = Task(
            function,
            name=self.name,
            retry_policy=declared.retry_policy,
            timeout=declared.timeout,
        )
        self.checkpointer = declared.checkpointer
        self.store = declared.store
        self.cache = declared.cache
        self.context_schema = declared.context_schema
        self.threads = Threads()
        self._input = parameters[0].name
        functools.update_wrapper(self, function, updated=())

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

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse: an entrypoint is not a function any more."""
        raise TypeError(
            f"entrypoint {self.name!r} is not called directly: "
            "use .invoke(input), .stream(input), or client.enqueue(entrypoint, input)."
        )

    def __repr__(self) -> str:
        return f"<entrypoint {self.name!r}>"
