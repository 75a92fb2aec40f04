"""A fact of a run, as journals and listeners get it."""

from __future__ import annotations

__all__ = ["Fact", "Listener"]

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias


class Fact(NamedTuple):
    """One fact of a run; `ref` names the checkpoint that holds its outcome.

    With `inline` the event holds the outcome too: the checkpoint of an error is deleted when its
    step is executed again.
    """

    mode: str
    data: Any
    namespace: tuple[str, ...]
    time: float
    ref: str = ""
    inline: bool = False


Listener: TypeAlias = Callable[[Fact], None]
