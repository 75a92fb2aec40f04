from __future__ import annotations

import json
from collections.abc import Callable

from penstock.runtime.journal.failure_cause import cause_of


def check(number: int) -> None:
    raise ValueError(f"no {number}")


def divide(number: int) -> float:
    return 1 / number


def caught(function: Callable[..., object], *args: object) -> Exception:
    try:
        function(*args)
    except Exception as error:
        return error
    raise AssertionError("it did not fail")


def test_the_message_and_who_calls_do_not_matter() -> None:
    one, other = caught(check, 1), caught(lambda: check(2))

    assert cause_of("main", one) == cause_of("main", other)
    assert len(cause_of("main", one)) == 12


def test_entrypoint_class_and_function_do() -> None:
    error = caught(check, 1)
    causes = {
        cause_of("main", error),
        cause_of("other", error),
        cause_of("main", caught(divide, 0)),
        cause_of("main", ValueError("never raised")),
    }

    assert len(causes) == 4


def test_the_function_is_one_of_the_app_not_of_a_library() -> None:
    def load(text: str) -> object:
        return json.loads(text)

    def read(text: str) -> object:
        return json.loads(text)

    assert cause_of("main", caught(load, "{")) == cause_of("main", caught(load, "[1"))
    assert cause_of("main", caught(load, "{")) != cause_of("main", caught(read, "{"))


def test_of_a_group_the_first_error_counts() -> None:
    error = caught(check, 1)
    group = ExceptionGroup("several", [ExceptionGroup("inner", [error]), KeyError("x")])

    assert cause_of("main", group) == cause_of("main", error)
