"""When a step that failed is tried again."""

from __future__ import annotations

__all__ = ["Retries", "RetryPolicy", "normalize"]

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from penstock.publisher.chance import chance
from penstock.runtime.errors import PenstockError, StepCancelledError, WrongKindError
from penstock.runtime.timeout import StepTimeoutError

Match: TypeAlias = (
    "type[BaseException] | Sequence[type[BaseException]] | Callable[[BaseException], bool]"
)

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


def worth_retrying(error: BaseException) -> bool:
    """Tell whether an error may pass by itself: yes, but for those that a bug or its input causes.

    Connection errors may; of HTTP status errors those of the server (5xx).
    """
    if isinstance(error, (ConnectionError, StepTimeoutError, StepCancelledError)):
        return True
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(status, int):
        return status >= 500
    return not isinstance(error, _NEVER)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and when a failed step is tried again.

    Intervals are seconds; `max_attempts` counts the first try; `jitter` adds up to one second;
    `retry_on` is an exception class, several, or a predicate.
    """

    initial_interval: float = 0.5
    backoff_factor: float = 2.0
    max_interval: float = 128.0
    max_attempts: int = 3
    jitter: bool = True
    retry_on: Match = worth_retrying

    def matches(self, error: BaseException) -> bool:
        """Tell whether this policy is about such an error."""
        match: Any = self.retry_on
        if isinstance(match, type):
            return isinstance(error, match)
        if isinstance(match, Sequence):
            return isinstance(error, tuple(cast("Sequence[type[BaseException]]", match)))
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
    """Turn what a user may write into policies; an int is a number of attempts.

    Raises:
        WrongKindError: it is none of these.
    """
    if retries is None:
        return ()
    if isinstance(retries, RetryPolicy):
        return (retries,)
    if isinstance(retries, int):
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
