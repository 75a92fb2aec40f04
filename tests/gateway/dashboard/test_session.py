"""Sessions in a signed cookie."""

from __future__ import annotations

import pytest

from penstock.gateway.dashboard.session import (
    LASTS,
    is_token,
    new_session,
    read_session,
    token_of,
)

SECRET = b"secret"


def test_a_session_is_read_back_until_it_is_over() -> None:
    session = new_session("key", 100.0)
    cookie = session.signed(SECRET)

    assert read_session(cookie, SECRET, 100.0 + LASTS - 1) == session
    assert read_session(cookie, SECRET, 100.0 + LASTS) is None


def test_a_cookie_that_was_changed_is_none() -> None:
    cookie = new_session("key", 100.0).signed(SECRET)
    other = new_session("other", 100.0).signed(b"another secret")

    for value in ("", ".", cookie[:-1], f"x{cookie}", other, "Wyc=.", "\u00e9.\u00e9"):
        assert read_session(value, SECRET, 100.0) is None


def test_a_token_is_that_of_its_session() -> None:
    first, second = new_session("key", 1.0), new_session("key", 1.0)

    token = token_of(first, SECRET)

    assert is_token(token, token_of(first, SECRET))
    assert not is_token(token, token_of(second, SECRET))
    assert not is_token(token, token_of(None, SECRET))
    assert not is_token(token, token_of(first, b"another secret"))


@pytest.mark.parametrize("token", ["", "x", "\u00e9"])
def test_what_is_no_token_is_none(token: str) -> None:
    assert not is_token(token, token_of(None, SECRET))
