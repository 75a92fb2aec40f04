"""When a run leaves its process: when none of its branches can go on, and not before."""

from __future__ import annotations

__all__ = ["IdleWatch"]

import asyncio
import contextvars
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, Final

from penstock.runtime.engine.attempt.attempt import Attempt
from penstock.runtime.engine.loop_timers import LoopTimers
from penstock.runtime.engine.step import Scope, current
from penstock.runtime.engine.waiting.gathered import Gathered
from penstock.runtime.engine.waiting.order import MOST_READY, MOST_TRIES, POLL, QUIET, Order
from penstock.runtime.engine.waiting.outside import waits_outside
from penstock.runtime.engine.waiting.own_timers import TimerName
from penstock.runtime.engine.waiting.parking import Parkable
from penstock.runtime.engine.waiting.running import RunningSteps
from penstock.runtime.engine.waiting.stamp import Stamp
from penstock.runtime.engine.waiting.waits import is_within
from penstock.runtime.errors import Suspend
from penstock.runtime.journal.step_id import ancestry

SLOW_POLL: Final = 0.05
"""Seconds between two looks at a run that waits for timers of its own code."""


class IdleWatch:
    """Looks at the branches of one attempt on its loop, once some of them wait."""

    def __init__(
        self, attempt: Attempt, running_steps: RunningSteps, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.loop = loop
        self.number = attempt.journal.epoch
        self._attempt = attempt
        self._running_steps = running_steps
        self.waits = attempt.waits
        self.orders: Iterable[Order] = ()
        """The orders of the attempt's scopes."""
        self.leave: Callable[[], object] = bool
        """Called when none of the run's branches can go on."""
        self._is_looking = False
        self._later: asyncio.TimerHandle | None = None
        self._turns = 0
        self._stood: Hashable = None
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

    def look_now(self) -> None:
        """Look at once, as what the run waits for may not count any more; from any thread."""
        self.loop.call_soon_threadsafe(self._look, context=contextvars.Context())

    def _again(self, seconds: float) -> None:
        self._is_looking = True
        self._later = self.loop.call_later(seconds, self._look, context=contextvars.Context())

    def _look(self) -> None:
        self._is_looking = False
        if self._later is not None:
            self._later.cancel()
            self._later = None
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
        elif (seconds := self._seconds_left()) is not None and self._stays(seconds):
            self._again(max(seconds, POLL))
        else:
            self.leave()

    def _stays(self, seconds: float) -> bool:
        """Tell whether the run stays in its process for what comes after some seconds."""
        if self.is_root_over or self._attempt.control.drain_requested:
            return False
        return seconds <= self._attempt.journal.patience

    def _seconds_left(self) -> float | None:
        """Return how long until a branch goes on by itself, None for none: a question may not."""
        times = [wait.due for wait in self._attempt.waits.of("timer") if wait.due is not None]
        if not times:
            return None
        return (min(times) - self._attempt.journal.now()) / 1000

    def _is_moving(self) -> bool:
        ready = self._ready_scopes()
        if ready is None:
            if (stand := self._stand()) != self._stood:
                self._stood, self._turns = stand, 0
            self._turns += 1
            if self._turns < QUIET:
                return True
            self._turns = 0
            return False
        return any(scope.attempt is self._attempt for scope in ready)

    def _stand(self) -> Hashable:
        """Return what changes as code of the run goes on: turns are counted in which it did not."""
        orders = sum(order.progress for order in self.orders)
        return tuple(map(id, self.coroutines)), self._running_steps.at_work(), orders

    # -- what an order asks ----------------------------------------------------------------------

    def gathered(self) -> Gathered:
        """Return what tells for one scope which ends of steps let no code go on."""
        return Gathered()

    def is_ready(self, scope: Scope) -> bool | None:
        """Tell whether code of a scope is about to run; None where nothing tells."""
        ready = getattr(self.loop, "_ready", None)
        if ready is None or len(ready) > MOST_READY:
            return None
        for handle in tuple(ready):  # each step that ends beside others looks: no call for each
            branch = None if handle._cancelled else handle._context.get(current)
            if branch is not None and (
                branch.scope is scope or _is_cancelled_below(branch.scope, scope)
            ):
                return True
        return False

    def is_busy_outside(self, scope: Scope) -> bool:
        """Tell whether a scope waits for what no record tells of: its own timers and sockets."""
        return any(each is scope for each in self._scopes_of_timers()) or self.is_io_pending(scope)

    def is_io_pending(self, scope: Scope) -> bool:
        """Tell whether a scope waits for threads and sockets of its own, which have no order."""
        return any(
            each.scope is scope and waits_outside(each, self.loop, sleep=False)
            for each in self.coroutines
        )

    def past_timers(self, scope: Scope) -> Iterable[tuple[Stamp, TimerName]]:
        """Return the timers of a scope that were over in the same try of it, and when."""
        if not scope.step.is_recorded or not self._attempt.journal.has_past:
            return
        for stamp, name in self._attempt.replay.past_timers(scope.step_id):
            if stamp.attempt % MOST_TRIES == min(scope.step.tries, MOST_TRIES - 1):
                yield stamp, name

    def is_at_work(self, step_id: str) -> bool:
        """Tell whether a step can go on by itself, or waits for what comes from outside."""
        return self._is_busy(step_id) or self._is_busy_outside(step_id)

    def is_at_work_below(self, scope: Scope) -> bool:
        """Tell whether a step that the scope has called is at work."""
        prefix = f"{scope.step_id}/" if scope.step_id else ""
        return any(
            step_id.startswith(prefix) and step_id != scope.step_id
            for step_id in self._running_steps.at_work()
            if not self._is_held(step_id)
        )

    # -- what is at work -------------------------------------------------------------------------

    def _is_busy(self, step_id: str) -> bool:
        """Tell whether a step, or the whole run, can go on by itself."""
        if not step_id and self.root is None and not self.is_root_over:
            return True
        counts = self._counts(step_id)
        if any(
            counts(each) and not self._is_parked(each) for each in self._running_steps.at_work()
        ):
            return True
        return any(
            counts(each.scope.step_id) and not self._is_stuck(each) for each in self.coroutines
        ) or any(order.has_undelivered and counts(order.scope.step_id) for order in self.orders)

    def _counts(self, step_id: str) -> Callable[[str], bool]:
        """Return what tells whether the run waits for code in a step, within another one.

        Once the body has ended, that is the code of steps at work alone. In a drain, neither the
        body counts nor a step that cannot come to its end here: they begin again elsewhere.
        """
        drained = self._attempt.waits.of("drain")
        if not drained and not self.is_root_over:
            return lambda each: is_within(each, step_id)
        working = {*self._running_steps.at_work(), *self._nested()} - self._running_steps.recorded
        if not self.is_root_over:
            working.add("")
        for wait in drained:
            working.difference_update(("", *ancestry(wait.step_id)))
        return lambda each: (
            is_within(each, step_id) and not working.isdisjoint(("", *ancestry(each)))
        )

    def _nested(self) -> Iterator[str]:
        """Return the entrypoints that were called in the run and are at work."""
        for coroutine in self.coroutines:
            step_id = coroutine.scope.step_id
            if not self.is_root_over and step_id.rpartition("/")[2][:1] == "^":
                yield step_id

    def _is_parked(self, step_id: str) -> bool:
        """Tell whether a step on the loop has nothing to do until one of its waits is over."""
        if not self._attempt.waits.below(step_id):
            return False
        return any(each.scope.step_id == step_id for each in self.coroutines) or (
            step_id in self._running_steps.parked
        )

    def _is_held(self, step_id: str) -> bool:
        return step_id in self._running_steps.held

    def _is_stuck(self, coroutine: Parkable[Any]) -> bool:
        awaited = coroutine.blocked_on
        if awaited is None or awaited.done():
            return False
        return not waits_outside(coroutine, self.loop)

    def _is_busy_outside(self, step_id: str) -> bool:
        counts = self._counts(step_id)
        return any(
            scope.attempt is self._attempt and counts(scope.step_id)
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
        timers = LoopTimers.of(self.loop)
        if timers is not None:
            return timers.scopes()
        return _scopes(tuple(getattr(self.loop, "_scheduled", ())))


def _scopes(handles: Any) -> Iterator[Scope]:
    for handle in handles:
        if not handle.cancelled():
            branch = handle._context.get(current)
            if branch is not None:
                yield branch.scope


def _is_cancelled_below(inner: Scope, scope: Scope) -> bool:
    """Tell whether code belongs to a step that another scope has called, and has cancelled.

    The end of such a step has no turn in the order: the code of its caller goes on at once.
    """
    step, is_cancelled = inner.step, False
    while step.parent is not None:
        is_cancelled = is_cancelled or (step.task is not None and step.task.cancelling() > 0)
        if step.parent is scope:
            return is_cancelled
        step = step.parent.step
    return False
