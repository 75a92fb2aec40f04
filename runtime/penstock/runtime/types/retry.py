"""When a step that failed is tried again."""

from __future__ import annotations

__all__ = ["Retries", "RetryPolicy", "normalize"]

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

from penstock.publisher.chance import chance
from penstock.runtime.errors import (
    ConfigurationError,
    PenstockError,
    StepCancelledError,
    WrongKindError,
)
from penstock.runtime.types.timeout import StepTimeoutError

Match: TypeAlias = "type[Exception] | Sequence[type[Exception]] | Callable[[BaseException], bool]"

_MAX_INTERVAL: Final = 128.0

_NEVER = (
    ValueError,
    TypeError,
    ArithmeticError,
    ImportError,
    LookupError,
    NameError,
    SyntaxError,
    RuntimeError,
    ReferenceError,
    StopIteration,
    StopAsyncIteration,
    OSError,
    PenstockError,
)

_TRANSPORT: Final = frozenset({"HTTPError", "ConnectionError", "Timeout", "ChunkedEncodingError"})
"""Errors of the package `requests` that no answer came with; there they are OSErrors."""

_STATUS: Final = {"aiohttp": "status", "urllib": "code"}
"""Where errors of packages keep the status themselves, by the package."""


def worth_retrying(error: BaseException) -> bool:
    """Return whether an error may pass by itself: not if a bug, or the input, causes it.

    Connection errors may; of HTTP status errors those of the server (5xx).
    """
    if isinstance(error, (ConnectionError, StepTimeoutError, StepCancelledError)):
        return True
    status = _status(error)
    if status is not None:
        return status >= 500
    return _is_of_transport(error) or not isinstance(error, _NEVER)


def _status(error: BaseException) -> int | None:
    """Return the HTTP status that an error was made of: of httpx, requests, aiohttp or urllib."""
    found = getattr(getattr(error, "response", None), "status_code", None)
    for kind in type(error).__mro__:
        package = kind.__module__.partition(".")[0]
        if found is None and package in _STATUS:
            found = getattr(error, _STATUS[package], None)
    return found if isinstance(found, int) else None


def _is_of_transport(error: BaseException) -> bool:
    return any(
        kind.__module__ == "requests.exceptions" and kind.__name__ in _TRANSPORT
        for kind in type(error).__mro__
    )


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and when a failed step is tried again.

    Intervals are seconds; `max_attempts` counts the first try; `jitter` adds up to one second;
    `retry_on` is an exception class, several, or a predicate. No wait is longer than
    `max_interval`, the first one included.
    """

    initial_interval: float = 0.5
    backoff_factor: float = 2.0
    max_interval: float = _MAX_INTERVAL
    max_attempts: int = 3
    jitter: bool = True
    retry_on: Match = worth_retrying

    def __post_init__(self) -> None:
        _check_number("initial_interval", self.initial_interval)
        _check_number("backoff_factor", self.backoff_factor, positive=True)
        _check_number("max_interval", self.max_interval, endless=True)
        # Above the default the first wait is the default, as it is with LangGraph.
        if self.initial_interval > self.max_interval != _MAX_INTERVAL:
            raise ConfigurationError(
                f"max_interval {self.max_interval!r} is less than initial_interval "
                f"{self.initial_interval!r}, and no wait would be as long as that: give a greater "
                "max_interval, or a smaller initial_interval (0 tries again at once)."
            )
        attempts: Any = self.max_attempts
        if isinstance(attempts, bool) or not isinstance(attempts, int):
            raise WrongKindError(f"max_attempts is a whole number, not {attempts!r}.")
        if attempts < 1:
            raise ConfigurationError(
                f"max_attempts counts the first try, so it is 1 or more, not {attempts!r}."
            )
        jitter: Any = self.jitter
        if not isinstance(jitter, bool):
            raise WrongKindError(f"jitter is True or False, not {jitter!r}.")
        _check_match(self.retry_on)

    def matches(self, error: BaseException) -> bool:
        """Return whether this policy applies to an error."""
        match: Any = self.retry_on
        if isinstance(match, type):
            return isinstance(error, match)
        if isinstance(match, Sequence):
            return isinstance(error, tuple(cast("Sequence[type[Exception]]", match)))
        return bool(match(error))

    def delay(self, tries: int) -> float | None:
        """Return the seconds to wait after the given number of tries, None when it was the last."""
        if tries >= self.max_attempts:
            return None
        try:
            interval = self.initial_interval * self.backoff_factor ** (tries - 1)
        except OverflowError:
            interval = self.max_interval
        interval = min(interval, self.max_interval)
        return interval + chance.random() if self.jitter else interval


Retries: TypeAlias = "RetryPolicy | Sequence[RetryPolicy] | int | None"


def normalize(retries: Retries) -> tuple[RetryPolicy, ...]:
    """Convert the forms of a `retry_policy` to policies; an int is a number of attempts.

    Raises:
        WrongKindError: it has none of these forms.
        ConfigurationError: it is a number below 1.
    """
    if retries is None:
        return ()
    if isinstance(retries, RetryPolicy):
        return (retries,)
    if isinstance(retries, int) and not isinstance(retries, bool):
        return (RetryPolicy(max_attempts=retries),)
    given: Any = retries
    try:
        policies: tuple[Any, ...] = tuple(given)
    except TypeError:
        policies = (given,)
    if not all(isinstance(policy, RetryPolicy) for policy in policies):
        raise WrongKindError(f"retry_policy must hold RetryPolicy objects, not {retries!r}.")
    return policies


def delay_after(policies: Sequence[RetryPolicy], error: BaseException, tries: int) -> float | None:
    """Return the wait that the first matching policy sets, None to give up."""
    for policy in policies:
        if policy.matches(error):
            return policy.delay(tries)
    return None


def _check_number(name: str, value: Any, *, positive: bool = False, endless: bool = False) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise WrongKindError(f"{name} is a number, not {value!r}.")
    if math.isnan(value) or value < 0 or (positive and value == 0):
        least = "greater than 0" if positive else "0 or more"
        raise ConfigurationError(f"{name} is {least}, not {value!r}.")
    if value == math.inf and not endless:
        raise ConfigurationError(f"{name} is a finite number, not {value!r}.")


def _check_match(match: Any) -> None:
    kinds: object = (match,) if isinstance(match, type) else match
    if isinstance(kinds, Sequence) and not isinstance(kinds, (str, bytes)):
        _check_kinds(cast("Sequence[object]", kinds))
    elif not callable(match):
        raise WrongKindError(
            "retry_on is a class of exceptions, several of them, or a function that gets the error "
            f"and returns True or False; it is not {match!r}."
        )
    elif inspect.iscoroutinefunction(match):
        raise WrongKindError(f"retry_on is called without await, so {match!r} cannot be async.")
    elif not _takes_an_error(match):
        raise WrongKindError(
            f"retry_on gets one argument, the error, which {match!r} does not take."
        )


def _check_kinds(kinds: Sequence[object]) -> None:
    if not kinds:
        raise ConfigurationError(
            "retry_on is empty, so that no error is retried: name classes of exceptions, or take "
            "the policy away."
        )
    for kind in kinds:
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise WrongKindError(f"retry_on names classes of exceptions, not {kind!r}.")
        if not issubclass(kind, Exception):
            raise ConfigurationError(
                f"retry_on names {kind.__qualname__}, which ends the process or the run and is "
                "never retried: name Exception, or classes that derive from it."
            )


def _takes_an_error(predicate: Callable[..., Any]) -> bool:
    try:
        signature = inspect.signature(predicate)
    except (TypeError, ValueError):
        return True  # of a builtin, which does not tell
    try:
        signature.bind(Exception())
    except TypeError:
        return False
    return True
