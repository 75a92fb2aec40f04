"""The order in which the code of a scope gets to know things, the same in every attempt.

Outcomes, answers and times over become known one at a time: the event loop settles in between, so
that what the code makes of one does not depend on the speed of another. Where several were under
way at once, their order is recorded, and a replay keeps to it. What nobody has recorded begins, and
becomes known, after the record.
"""

from __future__ import annotations

__all__ = ["Order"]

import asyncio
import contextvars
from functools import partial
from typing import Any, Final

from penstock.runtime.engine.waiting.gates import Gates
from penstock.runtime.engine.waiting.own_timers import OwnTimer, PastTimer, TimerName
from penstock.runtime.engine.waiting.place import Place, Turn
from penstock.runtime.engine.waiting.record import Record
from penstock.runtime.engine.waiting.stamp import Stamp
from penstock.runtime.engine.waiting.surroundings import Surroundings

QUIET: Final = 8
"""Turns of a loop after which it has settled, where its handles cannot be looked at."""

MOST_READY: Final = 256
"""Handles that are looked at in one go."""

MOST_TRIES: Final = 1000
"""Tries of one body in one attempt that have stamps of their own."""

POLL: Final = 0.01
"""Seconds between two looks at what comes from outside of the run's code."""


class Order:
    """What is under way in one execution of a scope, and what its code has got to know."""

    def __init__(
        self, scope: Any, around: Surroundings, recorded: set[str], under_way: set[str]
    ) -> None:
        self.scope = scope
        self._around = around
        self._attempt = around.number * MOST_TRIES + min(scope.step.tries, MOST_TRIES - 1)
        self._record = Record(recorded, under_way)
        self._gathered = around.gathered()
        self._lock = scope.attempt.lock
        self._calls = 0
        self._ticks = 0
        self._open = 0
        self._claims = 0
        self._passed = 0
        self._line: dict[int, Place] = {}
        self._gates = Gates()
        self._cancelled: list[Place] = []
        self._is_moving = True
        self._is_looking = False
        self._turns = 0
        self._context = contextvars.Context()
        self._next: asyncio.Handle | None = None
        """What looks in the next turn of the loop, once it has been needed."""
        self._ready: Any = getattr(around.loop, "_ready", None)
        """The handles of the loop's next turn, where it tells."""

    # -- what the code does ----------------------------------------------------------------------

    def begin(self, name: str) -> Place:
        """Open a place for a call, a question or a sleep."""
        self._calls += 1
        self._open += 1
        return Place(self, self._calls if self._open == 1 else 0, name)

    def tick(self) -> None:
        """Count that a coroutine went on for another reason: a timer, a lock, a cancellation.

        A replay waits for as many, where the code waits for threads and sockets.
        """
        self._calls += 1
        self._ticks += 1
        self._is_moving, self._turns = True, 0

    def due(self, timer: OwnTimer) -> None:
        """Let a timer of the code's own be over when its turn comes."""
        if self._record.has_timer(timer.name):
            return
        place = timer.place = Place(self, 0, "")
        self._open += 1
        with self._lock:
            place.number = self._claims
            self._claims += 1
            timer.timers.over(timer.name)
        place.deliver(partial(self._end, timer), soon=True)

    def began(self, timer: TimerName) -> None:
        """Take note that the code has begun a timer."""
        self._record.timer_began(timer)

    def recall_timers(self) -> None:
        """Let the timers of earlier attempts be over in their turns."""
        if self._record.add_timers(self, self._around.past_timers(self.scope)):
            self._look_soon()

    def asked(self, step_id: str) -> None:
        """Take note that a step was asked for that is recorded, or under way elsewhere."""
        self._record.asked(step_id)

    @property
    def is_replaying(self) -> bool:
        """Whether there is more on the record."""
        return bool(self._record or self._gates.is_holding)

    @property
    def is_pending(self) -> bool:
        """Whether something is about to become known, or to begin."""
        return bool(self._line or self._gates or self._record.first)

    @property
    def has_undelivered(self) -> bool:
        """Whether something has happened that the code does not know, if only as it is on its way.

        What a thread brings has a number before the loop gets to take it.
        """
        return self.is_pending or self._claims > self._passed

    @property
    def progress(self) -> int:
        """How far the code has come: grows as it calls, goes on, or gets to know something."""
        return self._calls + self._passed

    def gate(self, what: str) -> asyncio.Future[None]:
        """Return what a step that is not on the record waits for before it begins, in a replay.

        It begins when the code has come to the end of its record. If it cannot get there, as it
        does not ask for what is recorded, the gate raises ReplayError.
        """
        gate = self.future()
        self._gates.hold(what, gate)
        self._look_soon()
        return gate

    async def caught_up(self) -> None:
        """Return when the code has come to the end of its record, or to where it needs more.

        Where nothing else is under way, there is no order to keep.
        """
        is_alone = self._open <= 1 and not self.scope.is_forked
        if not is_alone and self._record:
            gate = self.future()
            self._gates.put_off(gate)
            self._look_soon()
            await gate

    def future(self) -> Turn:
        """Make a future of the loop."""
        return Turn(loop=self._around.loop)

    # -- what places do --------------------------------------------------------------------------

    def claim(self, place: Place) -> str:
        """Number what has happened."""
        with self._lock:
            if place.is_dropped or place.number >= 0:
                return ""
            place.number, place.ticks = self._claims, self._ticks
            self._claims += 1
            timers = self.scope.timers
            if timers is not None and place.name:
                place.timers = timers.written()
            if place.alone == self._calls and not self.scope.is_forked and not place.timers:
                return ""  # nothing else was under way meanwhile: there is no order
            return str(Stamp(self._attempt, place.number, self._calls, place.timers))

    def pass_alone(self, place: Place) -> bool:
        """Let a place's turn come now, if nothing else was under way since it was opened."""
        if place.alone != self._calls or self._open > 1 or self.scope.is_forked:
            return False
        first = self._record.first if place.stamp is not None else None
        if isinstance(first, PastTimer) and first.is_before(place):
            return False
        self._record.forget_places()
        self._is_moving, self._turns = True, 0
        self._count(place)
        return True

    def pass_at_once(self, place: Place) -> bool:
        """Let a place's turn come now, if nothing is before it and the code has settled."""
        self._skip()
        is_first = place.stamp is None and place.number == self._passed
        if not is_first or self.is_replaying:
            return False
        if self._wakes_nobody(place):
            self._count(place)
        elif self._has_settled():
            self._pass(place)
        else:
            return False
        if self._line:  # the next may have waited for this one alone
            self._look_soon()
        return True

    def line_up(self, place: Place, *, soon: bool) -> None:
        """Let a place wait for its turn, unless it was given up before its outcome came."""
        if place.is_dropped:
            place.outcome = None
            return
        if place.stamp is not None:
            if not place.is_awaited:
                self._record.add(place, place.stamp)
        elif place.number >= 0:
            self._line[place.number] = place
        else:  # of a step that is not recorded, or one that came to nothing
            self._tell(place)
            return
        if place.stamp is None and not soon and not self._is_looking:
            self._go_on()
        else:
            self._look_soon()

    def expect(self, place: Place, stamp: Stamp) -> None:
        """Let what comes later on the record wait for a place."""
        self._record.add(place, stamp)

    def cancelled(self, place: Place) -> None:
        """Tell a place when the code has settled after it cancelled the step."""
        self._cancelled.append(place)
        self._is_moving, self._turns = True, 0
        self._look_soon()

    def leave(self, place: Place) -> None:
        """Give a place up: nothing becomes known there."""
        self._close(place)
        with self._lock:  # a thread may be about to number it
            number = place.number
        if number >= self._passed and number not in self._line:
            self._line[number] = place
        if self.is_pending:
            self._look_soon()

    # -- one after the other ---------------------------------------------------------------------

    def _look_soon(self, seconds: float = 0.0) -> None:
        if self._is_looking:
            return
        self._is_looking = True
        if seconds:
            self._around.loop.call_later(seconds, self._look, context=self._context)
        elif self._next is not None and self._ready is not None:
            self._ready.append(self._next)  # as it is looked each turn: one handle does for all
        else:
            self._next = self._around.loop.call_soon(self._look, context=self._context)

    def _look(self) -> None:
        self._is_looking = False
        self._go_on()
        if not self._is_looking:
            self._next = None  # which refers to the order: without the circle that goes at once

    def _go_on(self) -> None:
        while self.is_pending or self._cancelled:
            if not self._has_settled():
                self._look_soon()
                return
            for place in self._cancelled:
                place.cleans_up = True
            self._cancelled.clear()
            if not self._advance():
                return
            if self._is_moving:  # who was told is about to go on
                self._look_soon()
                return

    def _has_settled(self) -> bool:
        if not self._is_moving and not self.is_replaying:
            return True
        is_ready = self._around.is_ready(self.scope)
        if is_ready is None:
            self._turns += 1
            is_ready = self._turns < QUIET
        if not is_ready:
            self._is_moving, self._turns = False, 0
        return not is_ready

    def _advance(self) -> bool:
        """Let the next thing become known, or begin; tell whether there may be more."""
        self._skip()
        place = self._record.first
        if place is not None:
            return self._advance_record(place)
        if self._record.is_expecting and self._waits_outside():
            return False
        if self._passed in self._line:
            self._tell(self._line.pop(self._passed))
            return True
        return self._let_begin()

    def _advance_record(self, place: Place) -> bool:
        timer = None
        if place.is_awaited and place.outcome is None and self._comes(place):
            return False
        if isinstance(place, PastTimer):
            timer = self.scope.timers.pending.get(place.timer)
            is_early = self._record.is_to_begin(place.timer)
        else:
            is_early = place.stamp is not None and place.stamp.calls > self._calls
        if is_early and self._around.is_io_pending(self.scope):
            self._look_later()
            return False
        self._record.take()
        if place.stamp is None:
            return True
        if timer is not None:
            self._open += 1
            place.outcome = partial(self._end, timer)
        elif isinstance(place, PastTimer):
            return True
        self._tell(place)
        return True

    def _comes(self, place: Place) -> bool:
        """Look later whether a step has ended again; tell if it can, or its end is a new one."""
        if self._around.is_at_work(place.name):
            self._look_later()
            return True
        place.is_awaited, place.stamp = False, None
        return False

    def _end(self, timer: OwnTimer) -> None:
        self.tick()
        timer.run()

    def _skip(self) -> None:
        """Forget what was given up."""
        while (place := self._line.get(self._passed)) is not None and place.is_dropped:
            del self._line[self._passed]
            self._passed += 1

    def _waits_outside(self) -> bool:
        if not self._around.is_busy_outside(self.scope):
            return False
        self._look_later()
        return True

    def _look_later(self) -> None:
        """Look again after a while, in which the code may go on by what is not delivered here."""
        self._is_moving = True
        self._look_soon(POLL)

    def _let_begin(self) -> bool:
        if self._gates.let_late_come():
            self._is_moving = True
            return True
        self._gates.forget_given_up()
        if not self._gates.is_holding:
            return False
        if self._record.is_expecting and self._around.is_at_work_below(self.scope):
            self._look_later()
            return False
        self._record.under_way.clear()
        self._gates.open(self._record.expected)
        self._is_moving = True
        return False

    def _tell(self, place: Place) -> None:
        if self._wakes_nobody(place):
            self._count(place)
        else:
            self._pass(place)
        if place.outcome is not None and not place.is_dropped:
            place.outcome()
        place.outcome = None

    def _record_again(self, place: Place) -> None:
        """Record anew when a place becomes known, if the code has gone on by itself meanwhile.

        So the next attempt waits for the same timers of the code's own.
        """
        is_new = place.stamp is None and place.number >= 0 and bool(place.name)
        if is_new and not self.scope.attempt.is_ending:
            place.ticks = self._ticks
            stamp = Stamp(self._attempt, place.number, self._calls, place.timers)
            self.scope.attempt.journal.mark(
                f"@{place.name}", f"{place.prefix}{stamp}{place.ending}"
            )

    def _wakes_nobody(self, place: Place) -> bool:
        if place.future is None:
            return False
        if place.is_silent is None:
            place.is_silent = self._gathered.wakes_nobody(place.future)
        return place.is_silent

    def _pass(self, place: Place) -> None:
        self._count(place)
        self._is_moving, self._turns = True, 0

    def _count(self, place: Place) -> None:
        if place.ticks != self._ticks:
            self._record_again(place)
        number = place.number
        if number >= self._passed:
            self._passed = number + 1
        if self._line:
            self._line.pop(number, None)
        if not place.is_over:
            place.is_over = True
            self._open -= 1

    def _close(self, place: Place) -> None:
        if not place.is_over:
            place.is_over = True
            self._open -= 1
