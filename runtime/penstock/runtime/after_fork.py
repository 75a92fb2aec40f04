"""What a forked process has to make anew: threads and locks of its parent's are dead in it."""

from __future__ import annotations

__all__ = ["anew_in_children"]

import os
import weakref
from typing import Protocol


class Renewable(Protocol):
    """Something with threads of its own."""

    def begin_anew(self) -> None:
        """Be as if it were new; no thread of this process has it."""
        ...


_things: weakref.WeakSet[Renewable] = weakref.WeakSet()


def anew_in_children(thing: Renewable) -> None:
    """Renew a thing in each process that is forked off this one, as `multiprocessing` does."""
    _things.add(thing)


def _begin_anew() -> None:
    for thing in list(_things):
        thing.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
