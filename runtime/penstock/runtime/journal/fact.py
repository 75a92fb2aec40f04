"""What happens in a run, as a journal and listeners get it."""

from __future__ import annotations

__all__ = ["Fact", "Listener"]

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias


class Fact(NamedTuple):
    """One thing that happened in a run; `ref` names the checkpoint that holds its outcome.

    `inline` says that the event holds it too: an error's checkpoint goes as its step is done again.
    """

    mode: str
    data: Any
    namespace: tuple[str, ...]
    time: float
    ref: str = ""
    inline: bool = False


Listener: TypeAlias = Callable[[Fact], None]
