from __future__ import annotations

import time

import pytest

from tests.support.until import Patience, until


def test_a_condition_that_never_holds_fails_in_time() -> None:
    began = time.monotonic()

    with pytest.raises(AssertionError, match=r"not within 0\.2 s: a miracle"):
        until(lambda: False, 0.2, "a miracle")

    assert time.monotonic() - began >= 0.2


def test_what_holds_at_last_is_returned() -> None:
    looks = iter([0, 0, 3])

    assert until(lambda: next(looks)) == 3


def test_a_standstill_of_the_machine_counts_little() -> None:
    patience = Patience(0.3)
    time.sleep(1.0)  # as if nobody had been at work

    patience.look()
    patience.look(0.1)

    with pytest.raises(AssertionError):
        patience.look()
