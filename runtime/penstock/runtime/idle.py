"""When a run leaves its process: when none of its branches can go on, and not before."""

from __future__ import annotations

__all__ = ["IdleWatch"]

import asyncio
import contextvars
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from penstock.runtime.errors import Suspend
from penstock.runtime.gathered import Gathered
from penstock.runtime.order import MOST_READY, POLL, QUIET
from penstock.runtime.outside import waits_outside
from penstock.runtime.parking import Parkable
from penstock.runtime.scope import Scope, current
from penstock.runtime.waits import is_within

if TYPE_CHECKING:
    from penstock.runtime.runner import Runner

SLOW_POLL: Final = 0.05
"""Seconds between two looks at a run that waits for timers of its own code."""


class IdleWatch:
    """Looks at the branches of one attempt on its loop, once some of them wait."""

    def __init__(self, runner: Runner, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.number = runner.attempt.journal.epoch
        self._runner = runner
        self._attempt = runner.attempt
        self.waits = runner.attempt.waits
        self._is_looking = False
        self._turns = 0
        self.coroutines: set[Parkable[Any]] = set()
        """Those of the run that have begun and not ended."""
        self.root: asyncio.Task[Any] | None = None
        """The asyncio task of the body while that runs on the loop, or waits for its next try."""
        self.is_root_over = False
        """Whether the body has ended, and only steps that it has called may still run."""
        self.left_behind: dict[str, Callable[[], object]] = {}
        """By step id, what tells threads that wait for a step on the loop that it stays there."""

    # -- what is noticed -------------------------------------------------------------------------

    def blocked(self, _: Parkable[Any]) -> None:
        """Take note that a branch waits, while others do."""
        self.notice()

    def changed(self) -> None:
        """Take note that something has ended or begun; from any thread."""
        if self.waits.by_name:
            self.notice()

    def given_up(self, error: Suspend) -> None:
        """Close what code in a thread has left the process for: its caller was cancelled."""
        for name in error.waits:
            self._attempt.waits.withdraw(name)

    def notice(self) -> None:
        """Look soon whether the run can still go on; from any thread."""
        if not self._is_looking:
            self._is_looking = True
            self.loop.call_soon_threadsafe(self._look, context=contextvars.Context())

    def _again(self, seconds: float) -> None:
        self._is_looking = True
        self.loop.call_later(seconds, self._look, context=contextvars.Context())

    def _look(self) -> None:
        self._is_looking = False
        attempt = self._attempt
        if attempt.is_over or attempt.is_leaving or not attempt.waits:
            return
        if self._is_moving():
            self.notice()
            return
        for step_id, tell in tuple(self.left_behind.items()):
            if not self._is_busy(step_id):
                del self.left_behind[step_id]
                tell()
        if self._is_busy("") or self._is_busy_outside(""):
            self._again(SLOW_POLL)
        elif (seconds := self._seconds_left()) is not None and seconds <= attempt.journal.patience:
            self._again(max(seconds, POLL))
        else:
            self._leave()

    def _leave(self) -> None:
        assert self._runner.exit is not None
        self._runner.exit.leave()

    def _seconds_left(self) -> float | None:
        """Return how long until a branch goes on by itself, None for none: a question may not."""
        times = [wait.due for wait in self._attempt.waits.of("timer") if wait.due is not None]
        if not times:
            return None
        return (min(times) - self._attempt.journal.now()) / 1000

    def _is_moving(self) -> bool:
        ready = self._ready_scopes()
        if ready is None:
            self._turns += 1
            if self._turns < QUIET:
                return True
            self._turns = 0
            return False
        return any(scope.attempt is self._attempt for scope in ready)

    # -- what an order asks ----------------------------------------------------------------------

    def gathered(self) -> Gathered:
        """Return what tells for one scope which ends of steps let no code go on."""
        return Gathered()

    def is_ready(self, scope: Scope) -> bool | None:
        """Tell whether code of a scope is about to run; None where nothing tells."""
        ready = self._ready_scopes()
        return None if ready is None else any(each is scope for each in ready)

    def is_busy_outside(self, scope: Scope) -> bool:
        """Tell whether a scope waits for what no record tells of: its own timers and sockets."""
        return any(each is scope for each in self._scopes_of_timers()) or any(
            each.scope is scope and waits_outside(each, self.loop) for each in self.coroutines
        )

    def is_at_work_below(self, scope: Scope) -> bool:
        """Tell whether a step that the scope has called is at work."""
        prefix = f"{scope.step_id}/" if scope.step_id else ""
        return any(
            step_id.startswith(prefix) and step_id != scope.step_id
            for step_id in self._runner.account.at_work()
            if not self._is_held(step_id)
        )

    # -- what is at work -------------------------------------------------------------------------

    def _is_busy(self, step_id: str) -> bool:
        """Tell whether a step, or the whole run, can go on by itself."""
        if not step_id and self.root is None and not self.is_root_over:
            return True
        if any(
            is_within(each, step_id) and not self._is_parked(each)
            for each in self._runner.account.at_work()
        ):
            return True
        return any(
            is_within(each.scope.step_id, step_id) and not self._is_stuck(each)
            for each in self.coroutines
        ) or any(
            order.is_pending and is_within(order.scope.step_id, step_id)
            for order in self._runner.orders
        )

    def _is_parked(self, step_id: str) -> bool:
        """Tell whether a step on the loop has nothing to do until one of its waits is over."""
        if not self._attempt.waits.below(step_id):
            return False
        return any(each.scope.step_id == step_id for each in self.coroutines) or (
            step_id in self._runner.parked_steps
        )

    def _is_held(self, step_id: str) -> bool:
        return step_id in self._runner.held_steps

    def _is_stuck(self, coroutine: Parkable[Any]) -> bool:
        awaited = coroutine.blocked_on
        if awaited is None or awaited.done():
            return False
        return not waits_outside(coroutine, self.loop)

    def _is_busy_outside(self, step_id: str) -> bool:
        return any(
            scope.attempt is self._attempt and is_within(scope.step_id, step_id)
            for scope in self._scopes_of_timers()
        )

    # -- the loop --------------------------------------------------------------------------------

    def _ready_scopes(self) -> Iterator[Scope] | None:
        """Return the scopes whose code is about to run; None where the loop does not tell."""
        ready = getattr(self.loop, "_ready", None)
        if ready is None or len(ready) > MOST_READY:
            return None
        return _scopes(tuple(ready))  # threads add to it meanwhile

    def _scopes_of_timers(self) -> Iterator[Scope]:
        return _scopes(tuple(getattr(self.loop, "_scheduled", ())))


def _scopes(handles: Any) -> Iterator[Scope]:
    for handle in handles:
        if not handle.cancelled():
            branch = handle._context.get(current)
            if branch is not None:
                yield branch.scope
