"""Which steps wake nobody as they end: those that `asyncio.gather` collects, but for the last one.

A gather counts the steps that have ended and lets no code go on before all have. So their ends need
no turn of the loop each.
"""

from __future__ import annotations

__all__ = ["Gathered"]

import asyncio
from collections.abc import Iterator, Sequence
from functools import cache
from types import CodeType
from typing import Any, Final
from weakref import WeakKeyDictionary

from penstock.runtime.engine.waiting.future import LoopFuture, StepTask

_OWN: Final = frozenset({"retrieve", "RunningSteps.task_ended"})
"""Callbacks of the engine's that let no code go on."""


class _Members:
    """The steps of one gather, and which of them have ended or are about to."""

    def __init__(self, outer: asyncio.Future[Any]) -> None:
        children: Sequence[asyncio.Future[Any]] = getattr(outer, "_children", ())
        ours = all(isinstance(child, (StepTask, LoopFuture)) for child in children)
        self._children = children if ours else ()
        self._told: set[int] = set()
        self._first = 0
        """The place of the first one that is still to end."""

    def tell(self, future: asyncio.Future[Any]) -> bool:
        """Take note that one ends; tell whether others are still to end."""
        children, told = self._children, self._told
        told.add(id(future))
        first = self._first
        while first < len(children) and (children[first].done() or id(children[first]) in told):
            first += 1
        self._first = first
        return first < len(children)


class Gathered:
    """Knows what the gathers of one scope still wait for."""

    def __init__(self) -> None:
        self._members: WeakKeyDictionary[asyncio.Future[Any], _Members] = WeakKeyDictionary()

    def wakes_nobody(self, future: asyncio.Future[Any]) -> bool:
        """Tell whether no code goes on as a step ends well; takes note that it ends."""
        waiting, wakes = False, False
        for callback in _callbacks(future):
            code = getattr(callback, "__code__", None)
            outer = None if code is None else _gather_of(callback, code)
            if outer is not None:
                waiting = True
                wakes = not self._tell(outer, future) or wakes
            elif code is None or code.co_qualname not in _OWN:
                wakes = True  # without code, it is a task's own, in C, that awaits the step
        return waiting and not wakes

    def _tell(self, outer: asyncio.Future[Any], future: asyncio.Future[Any]) -> bool:
        members = self._members.get(outer)
        if members is None:
            members = self._members[outer] = _Members(outer)
        return members.tell(future)


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
