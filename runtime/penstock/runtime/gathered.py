"""Which steps wake nobody as they end: those that `asyncio.gather` collects, but for the last one.

A gather counts the steps that have ended and lets no code go on before all have. So their ends need
no turn of the loop each.
"""

from __future__ import annotations

__all__ = ["Gathered"]

import asyncio
from collections.abc import Iterator
from functools import cache
from types import CodeType
from typing import Any
from weakref import WeakKeyDictionary

from penstock.runtime.future import LoopFuture, StepTask


class Gathered:
    """Counts the ends of steps in each gather of one scope."""

    def __init__(self) -> None:
        self._left: WeakKeyDictionary[asyncio.Future[Any], int] = WeakKeyDictionary()

    def wakes_nobody(self, future: asyncio.Future[Any]) -> bool:
        """Tell whether no code goes on as a step ends well; counts it as ended."""
        waiting = False
        for callback in _callbacks(future):
            code = getattr(callback, "__code__", None)
            if code is None:
                continue  # a method of the engine's
            outer = _gather_of(callback, code)
            if outer is None:
                if code.co_qualname not in _OWN:
                    return False
                continue
            if not self._is_left(outer):
                return False
            waiting = True
        return waiting

    def _is_left(self, outer: asyncio.Future[Any]) -> bool:
        left = self._left.get(outer)
        if left is None:
            children: list[Any] = getattr(outer, "_children", [])
            ours = all(isinstance(child, (StepTask, LoopFuture)) for child in children)
            left = sum(not child.done() for child in children) if ours else 0
        self._left[outer] = left = left - 1
        return left > 0


_OWN = frozenset({"retrieve"})


def _callbacks(future: asyncio.Future[Any]) -> Iterator[Any]:
    for callback, _ in getattr(future, "_callbacks", None) or ():
        yield callback


@cache
def _place_of_outer(code: CodeType) -> int:
    if code.co_qualname != "gather.<locals>._done_callback" or "outer" not in code.co_freevars:
        return -1
    return code.co_freevars.index("outer")


def _gather_of(callback: Any, code: CodeType) -> asyncio.Future[Any] | None:
    place = _place_of_outer(code)
    if place < 0:
        return None
    outer: asyncio.Future[Any] = callback.__closure__[place].cell_contents
    return outer
