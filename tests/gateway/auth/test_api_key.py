"""API keys: what they are made of, and who they admit."""

from __future__ import annotations

from datetime import timedelta

import pytest

from penstock.gateway.auth.api_key import ApiKey, new_key, parsed
from penstock.gateway.auth.role import Role


def test_a_key_admits_its_secret_until_it_ends() -> None:
    record, text = new_key("ann", Role.CLIENT, timedelta(days=1))
    key_id, secret = parsed(text) or ("", "")
    now = record.created_at

    assert key_id == record.key_id
    assert record.admits(secret, now)
    assert not record.admits(secret, now + timedelta(days=1))
    assert not record.admits(secret[:-1], now)
    assert not record.admits("", now)


def test_what_is_stored_does_not_hold_the_secret() -> None:
    record, text = new_key("ann", Role.ADMIN)
    _, secret = parsed(text) or ("", "")

    stored = record.encoded()

    assert secret not in stored
    assert ApiKey.decoded(record.key_id, stored.encode()) == record


@pytest.mark.parametrize("text", ["", "pk", "pk_", "pk__", "pk_a", "xx_a_b", "pk_a_b_c", "pk_a_"])
def test_what_is_no_key_is_none(text: str) -> None:
    assert parsed(text) is None


def test_each_role_may_do_what_the_ones_before_it_may() -> None:
    roles = list(Role)

    assert [[role.may(each) for each in roles].count(True) for role in roles] == [1, 2, 3, 4]
    assert all(role.may(role) for role in roles)
