"""Wrong keys are counted by address."""

from __future__ import annotations

from penstock.gateway.auth.wrong_keys import MOST, PERIOD, REMEMBERED, WrongKeys


def test_an_address_waits_after_ten_wrong_keys_in_a_minute() -> None:
    wrong = WrongKeys()
    for second in range(MOST):
        assert wrong.wait("a", second) == 0
        wrong.add("a", second)

    assert wrong.wait("a", MOST) == PERIOD - MOST
    assert wrong.wait("a", PERIOD) == 0
    assert wrong.wait("b", MOST) == 0


def test_a_count_begins_anew_after_a_minute() -> None:
    wrong = WrongKeys()
    for _ in range(MOST):
        wrong.add("a", 0)
    wrong.add("a", PERIOD)

    assert wrong.wait("a", PERIOD) == 0


def test_many_addresses_take_no_more_memory() -> None:
    wrong = WrongKeys()
    for number in range(MOST):
        wrong.add("first", number)
    for number in range(REMEMBERED):
        wrong.add(str(number), MOST)

    assert wrong.wait("first", MOST) == 0
