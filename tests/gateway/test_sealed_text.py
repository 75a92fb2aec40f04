"""Texts that only gateways can read."""

from __future__ import annotations

import pytest

from penstock.gateway.sealed_text import sealed, unsealed

SECRET = b"s" * 64


@pytest.mark.parametrize("text", ["", "one", "a longer one \N{SNOWMAN}" * 100])
def test_a_sealed_text_is_read_by_its_secret_for_its_purpose_alone(text: str) -> None:
    made = sealed(text, SECRET, "cursor")

    assert unsealed(made, SECRET, "cursor") == text
    assert unsealed(made, SECRET, "key") is None
    assert unsealed(made, b"t" * 64, "cursor") is None
    assert text == "" or text not in made
    assert made != sealed(text, SECRET, "cursor")


def test_what_was_not_sealed_is_not_read() -> None:
    made = sealed("secret", SECRET, "cursor")
    changed = ("B" if made[0] == "A" else "A") + made[1:]
    for given in ("", "x", "*", "A" * 20, "A" * 80, changed, made[:-2]):
        assert unsealed(given, SECRET, "cursor") is None, given
