"""When a step is tried again, and how long it waits before."""

from __future__ import annotations

import asyncio
import random
import urllib.error
from email.message import Message
from typing import Any, Final

import httpx
import pytest
import requests

from penstock.publisher.errors import CodecError
from penstock.runtime import RetryPolicy, StepTimeoutError, entrypoint, task
from penstock.runtime.errors import ConfigurationError, StepCancelledError
from penstock.runtime.types.retry import delay_after, normalize, worth_retrying

PLAIN = RetryPolicy(jitter=False)

GET: Final = httpx.Request("GET", "http://host")


def answer(status: int) -> requests.Response:
    """An answer of `requests`, which is false where its status is an error."""
    response = requests.Response()
    response.status_code = status
    return response


class ServerError(Exception):
    """An error of an HTTP client's."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.response = type("Response", (), {"status_code": status})()


@pytest.mark.parametrize(
    "error",
    [
        ConnectionError(),
        ConnectionResetError(),
        ServerError(500),
        ServerError(503),
        AssertionError(),
        AttributeError(),
        EOFError(),
        Exception(),
        StepTimeoutError("step", "run", 1.0, 1.0),
        StepCancelledError("no"),
        MemoryError(),
        type("Own", (Exception,), {})(),
        requests.HTTPError("connection error"),
        requests.HTTPError("503", response=answer(503)),
        requests.ConnectionError("refused"),
        requests.Timeout("slow"),
        requests.exceptions.ChunkedEncodingError("cut off"),
        httpx.HTTPStatusError("503", request=GET, response=httpx.Response(503)),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        urllib.error.HTTPError("http://host", 502, "bad gateway", Message(), None),
    ],
    ids=repr,
)
def test_what_may_pass_by_itself_is_tried_again(error: BaseException) -> None:
    assert worth_retrying(error)


@pytest.mark.parametrize(
    "error",
    [
        ValueError(),
        TypeError(),
        ZeroDivisionError(),
        OverflowError(),
        UnicodeDecodeError("utf-8", b"", 0, 1, "no"),
        ModuleNotFoundError(),
        ImportError(),
        KeyError(),
        IndexError(),
        UnboundLocalError(),
        NameError(),
        SyntaxError(),
        RuntimeError(),
        RecursionError(),
        NotImplementedError(),
        ReferenceError(),
        StopIteration(),
        StopAsyncIteration(),
        OSError(),
        FileNotFoundError(),
        PermissionError(),
        TimeoutError(),
        ServerError(400),
        ServerError(404),
        ServerError(429),
        CodecError("no"),
        requests.HTTPError("404", response=answer(404)),
        requests.TooManyRedirects("thirty"),
        requests.exceptions.MissingSchema("no scheme"),
        requests.exceptions.JSONDecodeError("no JSON", "{", 1),
        httpx.HTTPStatusError("404", request=GET, response=httpx.Response(404)),
        urllib.error.HTTPError("http://host", 404, "not found", Message(), None),
    ],
    ids=repr,
)
def test_what_a_bug_or_its_input_causes_is_not(error: BaseException) -> None:
    assert not worth_retrying(error)


def test_intervals_grow_up_to_the_longest() -> None:
    policy = RetryPolicy(
        initial_interval=1, backoff_factor=3, max_interval=10, max_attempts=6, jitter=False
    )

    assert [policy.delay(tries) for tries in range(1, 7)] == [1, 3, 9, 10, 10, None]


def test_jitter_adds_up_to_a_second() -> None:
    delays = {RetryPolicy(initial_interval=5).delay(1) or 0 for _ in range(50)}

    assert len(delays) > 1
    assert all(5 <= delay <= 6 for delay in delays)


def test_jitter_takes_no_number_from_an_app_that_has_seeded_its_own() -> None:
    before = random.getstate()

    RetryPolicy().delay(1)

    assert random.getstate() == before


def test_a_very_long_series_of_tries_does_not_overflow() -> None:
    assert RetryPolicy(max_attempts=10**9, jitter=False).delay(100_000) == 128.0


def says_again(error: BaseException) -> bool:
    return str(error) == "again"


@pytest.mark.parametrize(
    ("match", "error", "matches"),
    [
        (KeyError, KeyError(), True),
        (LookupError, KeyError(), True),
        (KeyError, ValueError(), False),
        ((KeyError, ValueError), ValueError(), True),
        ([KeyError], ValueError(), False),
        (says_again, ValueError("again"), True),
        (says_again, ValueError("no"), False),
    ],
)
def test_a_policy_is_about_a_class_or_several_or_what_a_predicate_says(
    match: Any, error: Exception, matches: bool
) -> None:
    assert RetryPolicy(retry_on=match).matches(error) is matches


async def says_later(error: BaseException) -> bool:
    return True


def knows_nothing() -> bool:
    return True


@pytest.mark.parametrize(
    "match",
    [
        404,
        "KeyError",
        None,
        object(),
        int,
        KeyError(),
        [5],
        [KeyError, "ValueError"],
        {KeyError: 1},
        says_later,
        knows_nothing,
    ],
    ids=lambda match: getattr(match, "__name__", type(match).__name__),
)
def test_a_match_of_a_wrong_kind_is_refused_when_the_policy_is_made(match: Any) -> None:
    with pytest.raises(ConfigurationError, match="retry_on") as refused:
        RetryPolicy(retry_on=match)
    assert isinstance(refused.value, TypeError)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("initial_interval", -1),
        ("initial_interval", float("nan")),
        ("initial_interval", float("inf")),
        ("initial_interval", True),
        ("initial_interval", "1"),
        ("initial_interval", None),
        ("backoff_factor", 0),
        ("backoff_factor", -2.0),
        ("backoff_factor", float("nan")),
        ("backoff_factor", float("inf")),
        ("max_interval", -0.5),
        ("max_interval", float("nan")),
        ("max_interval", "1m"),
        ("max_attempts", 0),
        ("max_attempts", -3),
        ("max_attempts", 2.0),
        ("max_attempts", True),
        ("max_attempts", "3"),
        ("max_attempts", None),
        ("jitter", 0.5),
        ("jitter", None),
    ],
)
def test_a_number_that_no_policy_can_mean_is_refused_when_it_is_made(
    field: str, value: Any
) -> None:
    given: dict[str, Any] = {field: value}
    with pytest.raises(ConfigurationError, match=f"{field} "):
        RetryPolicy(**given)


def test_the_least_that_a_policy_can_mean_is_taken() -> None:
    policy = RetryPolicy(
        initial_interval=0,
        backoff_factor=0.5,
        max_interval=float("inf"),
        max_attempts=1,
        jitter=False,
    )

    assert policy.delay(1) is None
    assert RetryPolicy(initial_interval=0, max_interval=0, jitter=False).delay(1) == 0
    assert RetryPolicy(initial_interval=3600, jitter=False).delay(1) == 128  # as with LangGraph


@pytest.mark.parametrize(
    "kinds",
    [
        *(BaseException, KeyboardInterrupt, SystemExit, asyncio.CancelledError, GeneratorExit),
        *((KeyError, KeyboardInterrupt), [BaseExceptionGroup]),
    ],
    ids=str,
)
def test_classes_that_are_never_retried_are_refused(kinds: Any) -> None:
    with pytest.raises(ConfigurationError, match="never retried: name Exception"):
        RetryPolicy(retry_on=kinds)


@pytest.mark.parametrize("kinds", [[], ()])
def test_a_policy_about_no_error_is_refused(kinds: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"retry_on is empty.*take the policy away"):
        RetryPolicy(retry_on=kinds)


@pytest.mark.parametrize("intervals", [(0.5, 0), (10, 9.5), (1, 0.001)])
def test_a_first_wait_above_the_longest_is_refused(intervals: tuple[float, float]) -> None:
    initial, longest = intervals
    with pytest.raises(ConfigurationError, match=r"max_interval .* is less than initial_interval"):
        RetryPolicy(initial_interval=initial, max_interval=longest)


@pytest.mark.parametrize("attempts", [0, -1, True, "3", 2.5])
def test_a_number_of_attempts_that_is_none_is_refused_where_the_task_is_declared(
    attempts: Any,
) -> None:
    with pytest.raises(ConfigurationError):
        task(retry_policy=attempts)
    with pytest.raises(ConfigurationError):
        entrypoint(retry_policy=attempts)


def test_the_first_policy_that_matches_decides_and_tries_are_counted_together() -> None:
    policies = (
        RetryPolicy(initial_interval=1, max_attempts=2, jitter=False, retry_on=KeyError),
        RetryPolicy(initial_interval=7, max_attempts=4, jitter=False, retry_on=Exception),
    )

    assert delay_after(policies, KeyError(), 1) == 1
    assert delay_after(policies, KeyError(), 2) is None
    assert delay_after(policies, ValueError(), 3) == 28
    assert delay_after(policies, KeyboardInterrupt(), 1) is None
    assert delay_after((), KeyError(), 1) is None


def test_what_users_write_becomes_policies() -> None:
    assert normalize(None) == ()
    assert normalize(PLAIN) == (PLAIN,)
    assert normalize([PLAIN, PLAIN]) == (PLAIN, PLAIN)
    assert normalize(5) == (RetryPolicy(max_attempts=5),)
    wrong: Any = [PLAIN, 3]
    with pytest.raises(ConfigurationError):
        normalize(wrong)
