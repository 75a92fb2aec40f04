"""The timers of runs on an event loop: each is over in its turn, in the order of its scope."""

from __future__ import annotations

__all__ = ["LoopTimers"]

import asyncio
import contextvars
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, Final

from penstock.runtime.engine.step import Scope, current
from penstock.runtime.engine.waiting.own_timers import OwnTimer, OwnTimers, name_in
from penstock.runtime.engine.waiting.short_pauses import is_pausing

FEW: Final = 1000
"""Timers among which it is not looked for those that are over."""


_METHODS: Final = ("call_later", "call_at")


class _Pause:
    """A timer of the engine's own, on behalf of a run's code: its order knows of it otherwise."""

    __slots__ = ("callback", "handle", "scope")

    def __init__(self, scope: Scope, callback: Callable[[], object]) -> None:
        self.scope = scope
        self.callback = callback
        self.handle: asyncio.TimerHandle | None = None

    @property
    def is_over(self) -> bool:
        """Whether it was cancelled."""
        return self.handle is not None and self.handle.cancelled()


class LoopTimers:
    """Stands for the loop's timers in the code of runs, while a run is active on the loop.

    It is called in place of the loop's `call_later` and `call_at`, as asyncio's own `sleep` and
    `timeout` call them. A loop that has no attributes of its own is left as it is.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._call_later: Callable[..., asyncio.TimerHandle] = loop.call_later
        self._call_at: Callable[..., asyncio.TimerHandle] = loop.call_at
        self._is_calling = False
        self._replaced: dict[str, Any] = {}
        """What somebody else had put in front of the loop's methods."""
        self._timers = set[OwnTimer | _Pause]()
        self._most = FEW
        self._runs = 0

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> LoopTimers | None:
        """Return what takes note of the timers of a loop, None where nothing does."""
        owner = getattr(loop.call_later, "__self__", None)
        return owner if isinstance(owner, LoopTimers) else None

    @classmethod
    def enter(cls, loop: asyncio.AbstractEventLoop) -> None:
        """Stand in front of a loop, or share what does already."""
        timers = cls.of(loop)
        if timers is None:
            timers = cls(loop)
            with suppress(TypeError):
                own = vars(loop)
                timers._replaced = {name: own[name] for name in _METHODS if name in own}
                own.update(call_later=timers.call_later, call_at=timers.call_at)
        timers._runs += 1

    @classmethod
    def leave(cls, loop: asyncio.AbstractEventLoop) -> None:
        """Undo one `enter`."""
        timers = cls.of(loop)
        if timers is None:
            return
        timers._runs -= 1
        if timers._runs == 0:
            for name in _METHODS:
                vars(loop).pop(name, None)
            vars(loop).update(timers._replaced)

    def scopes(self) -> Iterator[Scope]:
        """Return the scopes whose code has begun timers whose time is not over."""
        self._forget_those_over()
        return iter([timer.scope for timer in self._timers])

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """As the loop's own."""
        if self._is_calling:
            return self._call_later(delay, callback, *args, context=context)
        return self.call_at(self._loop.time() + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """As the loop's own."""
        branch = current.get(None) if context is None else context.get(current)
        if branch is None or self._is_calling:
            return self._begin(when, callback, *args, context=context)
        is_pause = is_pausing(context)
        context = context or contextvars.copy_context()
        if is_pause:
            return self._pause(branch.scope, when, callback, args, context)
        scope, name = branch.scope, name_in(branch, callback)
        timer = OwnTimer(_timers_of(scope), scope, name, when, callback, args, self._loop, context)
        timer.forget = partial(self._timers.discard, timer)
        if scope.order is not None:
            scope.order.began(name)
        timer.inner = self._begin(when, self._come, timer, context=contextvars.Context())
        self._keep(timer)
        return timer

    def _begin(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None,
    ) -> asyncio.TimerHandle:
        """Begin a timer of the loop, which may call its other method for that."""
        before, self._is_calling = self._is_calling, True
        try:
            return self._call_at(when, callback, *args, context=context)
        finally:
            self._is_calling = before

    def _come(self, timer: OwnTimer) -> None:
        self._timers.discard(timer)
        scope = timer.scope
        if scope.order is None or scope.attempt.is_ending:
            timer.run()
        else:
            scope.order.due(timer)

    def _pause(
        self,
        scope: Scope,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: contextvars.Context,
    ) -> asyncio.TimerHandle:
        pause = _Pause(scope, lambda: callback(*args))
        pause.handle = self._begin(when, self._end, pause, context=context)
        self._keep(pause)
        return pause.handle

    def _end(self, pause: _Pause) -> None:
        self._timers.discard(pause)
        pause.callback()

    def _keep(self, timer: OwnTimer | _Pause) -> None:
        self._timers.add(timer)
        if len(self._timers) > self._most:
            self._forget_those_over()
            self._most = max(FEW, 2 * len(self._timers))

    def _forget_those_over(self) -> None:
        for timer in tuple(self._timers):
            if timer.is_over:
                self._timers.discard(timer)


def _timers_of(scope: Scope) -> OwnTimers:
    timers = scope.timers
    if timers is None:
        timers = scope.timers = OwnTimers(scope.step_id)
        if scope.order is not None:
            scope.order.recall_timers()
        else:
            scope.step.runner.orders.of(scope)  # which recalls them
    return timers
