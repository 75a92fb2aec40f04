"""Class token: a random text by which the process that stored an error knows its class again."""

from __future__ import annotations

from typing import Final
from weakref import WeakKeyDictionary

from penstock.publisher.chance import chance

__all__ = ["class_token"]


class _Tokens:
    def __init__(self) -> None:
        self._made: WeakKeyDictionary[type, str] = WeakKeyDictionary()

    def __call__(self, cls: type) -> str:
        """Return the token of a class, the same as long as the class lives."""
        # Random, so that two children of one fork give two classes no common one.
        return self._made.setdefault(cls, f"{chance.getrandbits(64):016x}")


class_token: Final = _Tokens()
"""Returns the token of a class."""
