"""The declaration of an entrypoint: its body, the type of its input, where its runs are kept."""

from __future__ import annotations

__all__ = ["Declared", "Definition"]

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self, TypeAlias, get_type_hints

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from penstock.publisher.codec.annotation import hints_of, names_beside
from penstock.publisher.codec.registry import registered
from penstock.runtime.concurrency.thread_pool import ThreadPool
from penstock.runtime.engine.function.functions import declared_in, function_name, reject_generator
from penstock.runtime.engine.function.step_function import StepFunction
from penstock.runtime.errors import ConfigurationError, InputError, WrongKindError
from penstock.runtime.journal.checkpointer import Checkpointer
from penstock.runtime.types.cache import Cache, CachePolicy, checked_policy
from penstock.runtime.types.config import Config, merged
from penstock.runtime.types.retention import checked_retention
from penstock.runtime.types.retry import Retries, normalize
from penstock.runtime.types.timeout import Timeouts, policy_of
from penstock.runtime.types.typed_dict import for_pydantic
from penstock.runtime.types.validation import Settled, listed, read_whole
from penstock.runtime.types.version import checked_version

_PLAIN: Final = frozenset(
    (str, int, float, bool, bytes, dict, list, tuple, set, object, type(None))
)
"""Annotations that take what they have made of a value once more as it is."""

Persistence: TypeAlias = Checkpointer | bool | None
"""A saver for runs of its own; for a nested entrypoint None, False or True: see `Declared`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """The options of `@entrypoint(...)`."""

    name: str | None = None
    checkpointer: Persistence = None
    """As a nested entrypoint: False records nothing, True keeps a state on the parent's thread."""
    store: Any = None
    cache: Cache | None = None
    context_schema: Any = None
    cache_policy: CachePolicy | None = None
    retry_policy: Retries = None
    timeout: Timeouts = None
    retention: float | None = None
    retention_failed: float | None = None
    version: str = ""
    pin: bool = False

    def __post_init__(self) -> None:
        checked_version(self.version)
        checked_retention("retention", self.retention)
        checked_retention("retention_failed", self.retention_failed)
        policy_of(self.timeout)
        normalize(self.retry_policy)
        checked_policy(self.cache_policy)
        _check_cache(self.cache)
        given: Any = self.checkpointer
        if not (given is None or isinstance(given, bool) or callable(getattr(given, "open", None))):
            raise WrongKindError(
                f"Invalid checkpointer provided: {given!r}. Give an InMemorySaver() or a "
                "RedisSaver(), or None, False or True for an entrypoint that is nested."
            )


class Definition:
    """A function with a stable name, and its declared options."""

    def __init__(self, function: Callable[..., Any], declared: Declared) -> None:
        self.declared = declared
        self.name = declared.name or function_name(function)
        reject_generator(function, f"entrypoint {self.name!r}")
        parameters = list(inspect.signature(function).parameters.values())
        if not parameters:
            raise ConfigurationError(
                f"entrypoint {self.name!r} must have at least one parameter: the input."
            )
        if parameters[0].name in ("self", "cls") and (owner := declared_in(function)):
            raise ConfigurationError(
                f"entrypoint {self.name!r} is a method of {owner!r}, and a run does not know its "
                "object: declare a function, or make the entrypoint from a bound method, as in "
                "entrypoint()(object.method)."
            )
        self.body = StepFunction(
            function,
            name=self.name,
            retry_policy=declared.retry_policy,
            cache_policy=declared.cache_policy,
            timeout=declared.timeout,
        )
        given = declared.checkpointer
        self.checkpointer: Checkpointer | None = None if isinstance(given, bool) else given
        self.store = declared.store
        self.cache = declared.cache
        self.context_schema = declared.context_schema
        registered.offer(declared.context_schema)
        self.threads = ThreadPool()
        self.config: Config = {}
        self.input_name = parameters[0].name
        self._names = names_beside(function)
        _check_final(function, self.name)
        functools.update_wrapper(self, function, updated=())

    def with_config(self, config: Config | None = None, **more: Any) -> Self:
        """Return the entrypoint with a config that each call of it begins with."""
        other = self.copy({})
        other.config = merged(merged(self.config, config), more)
        return other

    def copy(self, update: Mapping[str, Any] | None = None) -> Self:
        """Return the entrypoint with some of its options replaced.

        Raises:
            WrongKindError: `update` names something that `@entrypoint` does not take.
        """
        known = {each.name for each in dataclasses.fields(Declared)}
        for key in update or {}:
            if key not in known:
                raise WrongKindError(
                    f"entrypoint {self.name!r} has nothing called {key!r} to be replaced; "
                    f"there are {', '.join(sorted(known))}."
                )
        declared = dataclasses.replace(self.declared, **(update or {}))
        other = type(self)(self.body.function, declared)
        other.config, other.threads = self.config, self.threads
        other.body.identity = self.body.identity
        other._names = self._names
        return other

    def accept(self, value: Any) -> Any:
        """Return an input in the form its annotation asks for; an iterator as a list.

        Raises:
            InputError: pydantic refuses it; its own detail is in the message.
        """
        try:
            return listed(value) if self._input is None else self._input.validate(value)
        except ValidationError as error:
            raise InputError(
                f"the input of entrypoint {self.name!r} is refused: {error}"
            ) from error
        except Exception as error:
            error.add_note(f"as the input of entrypoint {self.name!r} was validated")
            raise

    def converts(self, context: Any) -> bool:
        """Return whether it matters that input and context are validated once, and not again."""
        return self._converts or self._makes_context(context)

    def accept_context(self, value: Any) -> Any:
        """Convert a run's context to its schema: a dict becomes a dataclass or a model.

        Raises:
            InputError: it does not fit.
        """
        if self.context_schema is None or not self._makes_context(value):
            return value
        try:
            return read_whole(self.context_schema(**value))
        except (TypeError, ValueError) as error:
            raise InputError(f"the context of {self.name!r} is refused: {error}") from error

    def _makes_context(self, value: Any) -> bool:
        schema: Any = self.context_schema
        if not isinstance(value, dict) or not isinstance(schema, type):
            return False
        return dataclasses.is_dataclass(schema) or issubclass(schema, BaseModel)

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
    def hints(self) -> dict[str, Any]:
        """The function's annotations; empty where they cannot be read."""
        hints = hints_of(self.body.function, self._names)
        return {name: for_pydantic(hint, self._names) for name, hint in hints.items()}

    @functools.cached_property
    def _converts(self) -> bool:
        annotation = self.hints.get(self.input_name, Any)
        is_plain = any(annotation is each for each in (Any, *_PLAIN))
        return not is_plain and self._input is not None

    @functools.cached_property
    def _input(self) -> Settled | None:
        if self.input_name not in self.hints:
            return None
        try:
            return Settled(TypeAdapter(self.hints[self.input_name]))
        except (PydanticUserError, NameError) as error:
            if getattr(error, "code", None) != "typed-dict-version":
                return None
            raise ConfigurationError(
                f"the input of entrypoint {self.name!r} cannot be validated: a class in its "
                "annotation has a TypedDict of `typing`, which pydantic refuses before Python "
                "3.12. Import TypedDict from typing_extensions there."
            ) from error

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse: an entrypoint is not a function any more."""
        raise TypeError(
            f"entrypoint {self.name!r} is not called directly: "
            "use .invoke(input), .stream(input), or client.enqueue(entrypoint, input)."
        )

    def __repr__(self) -> str:
        return f"<entrypoint {self.name!r}>"


def _check_cache(cache: Any) -> None:
    if cache is not None and not (
        all(callable(getattr(cache, verb, None)) for verb in ("get", "set", "clear"))
        and not isinstance(cache, type)
    ):
        raise WrongKindError(
            f"cache is an InMemoryCache() or a RedisCache(), or has their methods; not {cache!r}."
        )


def _check_final(function: Any, name: str) -> None:
    """Refuse `-> entrypoint.final[X]`; the other cases are typing's own to find."""
    annotation = getattr(function, "__annotations__", {}).get("return")
    if not isinstance(annotation, str) or "final[" not in annotation:
        return
    try:
        get_type_hints(function)
    except TypeError as error:
        raise WrongKindError(
            f"entrypoint {name!r} is annotated to return {annotation}: write "
            "entrypoint.final[type of value, type of save]."
        ) from error
    except (NameError, AttributeError):
        return
