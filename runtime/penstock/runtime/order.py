"""The order in which the code of a scope gets to know things, the same in every attempt.

Outcomes, answers and times over become known one at a time: the event loop settles in between, so
that what the code makes of one does not depend on the speed of another. Where several were under
way at once, their order is recorded, and a replay keeps to it. What nobody has recorded begins, and
becomes known, after the record.
"""

from __future__ import annotations

__all__ = ["Order", "Place", "Surroundings"]

import asyncio
import contextvars
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Final, Protocol

from penstock.runtime.errors import ReplayError
from penstock.runtime.stamp import Stamp

QUIET: Final = 8
"""Turns of a loop after which it has settled, where its handles cannot be looked at."""

MOST_READY: Final = 256
"""Handles that are looked at in one go."""

MOST_TRIES: Final = 1000
"""Tries of one body in one attempt that have stamps of their own."""

POLL: Final = 0.01
"""Seconds between two looks at what comes from outside of the run's code."""


class Silence(Protocol):
    """What tells which ends of steps let no code go on."""

    def wakes_nobody(self, future: asyncio.Future[Any], /) -> bool:
        """Tell whether no code goes on as a step ends well; counts it as ended."""
        ...


class Surroundings(Protocol):
    """What an order asks about the run that it belongs to."""

    loop: asyncio.AbstractEventLoop
    number: int
    """That of the attempt; it grows with each claim of the run."""

    def gathered(self) -> Silence:
        """Return what tells for one scope which ends of steps let no code go on."""
        ...

    def is_ready(self, scope: Any) -> bool | None:
        """Tell whether code of a scope is about to run; None where nothing tells."""
        ...

    def is_busy_outside(self, scope: Any) -> bool:
        """Tell whether a scope waits for what no record tells of: its own timers and sockets."""
        ...

    def is_at_work_below(self, scope: Any) -> bool:
        """Tell whether a step that the scope has called is at work."""
        ...


class Turn(asyncio.Future[None]):
    """Resolves when the code may know, or a step may begin."""

    def come(self) -> None:
        """Resolve it, unless nobody waits any more."""
        if not self.done():
            self.set_result(None)


class Place:
    """The place of one call, question or sleep in its scope's order."""

    # Defaults of the class: most places of sequential code never set them.
    future: asyncio.Future[Any] | None = None
    """The future of a step that ends well, to look who waits for it."""
    is_silent: bool | None = None
    """Whether no code goes on by it; None where that was not asked yet."""
    is_dropped = False
    is_over = False
    number = -1
    stamp: Stamp | None = None
    outcome: Callable[[], object] | None = None
    """What lets the code know."""

    def __init__(self, order: Order, alone: int) -> None:
        self._order = order
        self.alone = alone
        """How many calls there were with this one, if nothing else was under way; else 0."""

    def claim(self) -> str:
        """Number it, as it has just happened; returns the stamp to record, "" for none.

        From any thread.
        """
        return self._order.claim(self)

    def is_next(self) -> bool:
        """Tell whether the code may know now, which it does then; on the loop."""
        order = self._order
        if order.pass_alone(self):
            return True
        if self.number < 0 and self.stamp is None:
            order.claim(self)
        return order.pass_at_once(self)

    def deliver(self, deliver: Callable[[], object]) -> None:
        """Let it become known by a call of `deliver`, when it is its turn; on the loop."""
        self.outcome = deliver
        self._order.line_up(self)

    async def caught_up(self) -> None:
        """Return when a replay is over: what has happened since becomes known after the record."""
        try:
            await self._order.caught_up()
        except asyncio.CancelledError:
            self.drop()
            raise

    async def turn(self) -> None:
        """Return when it is its turn."""
        if self.is_next():
            return
        turn = self._order.future()
        self.deliver(turn.come)
        try:
            await turn
        except asyncio.CancelledError:
            self.drop()
            raise

    def drop(self) -> None:
        """Let it never become known: its caller has given it up."""
        self.is_dropped = True
        self._order.leave(self)


class Order:
    """What is under way in one execution of a scope, and what its code has got to know."""

    def __init__(
        self, scope: Any, around: Surroundings, recorded: set[str], under_way: set[str]
    ) -> None:
        self.scope = scope
        self._around = around
        self._attempt = around.number * MOST_TRIES + min(scope.step.tries, MOST_TRIES - 1)
        self._expected = recorded
        self._under_way = under_way  # the code may call them no more: their ends are not recorded
        self._gathered = around.gathered()
        self._lock = scope.attempt.lock
        self._calls = 0
        self._open = 0
        self._claims = 0
        self._passed = 0
        self._record: list[tuple[Stamp, int, Place]] = []
        self._line: dict[int, Place] = {}
        self._held: list[tuple[str, asyncio.Future[None]]] = []
        self._late: list[Turn] = []
        self._is_moving = True
        self._is_looking = False
        self._turns = 0

    # -- what the code does ----------------------------------------------------------------------

    def begin(self) -> Place:
        """Open a place for a call, a question or a sleep."""
        self._calls += 1
        self._open += 1
        return Place(self, self._calls if self._open == 1 else 0)

    def tick(self) -> None:
        """Count that a coroutine went on for another reason: a timer, a lock, a cancellation.

        A replay waits for as many: so it keeps the timers of the code's own in order.
        """
        self._calls += 1
        self._is_moving = True

    def asked(self, step_id: str) -> None:
        """Take note that a step was asked for that is recorded, or under way elsewhere."""
        self._expected.discard(step_id)
        self._under_way.discard(step_id)

    @property
    def is_replaying(self) -> bool:
        """Whether there is more on the record."""
        return bool(self._expected or self._record or self._held or self._under_way)

    @property
    def is_pending(self) -> bool:
        """Whether something is about to become known, or to begin."""
        return bool(self._record or self._line or self._held or self._late)

    def gate(self, what: str) -> asyncio.Future[None]:
        """Return what a step that is not on the record waits for before it begins, in a replay.

        It begins when the code has come to the end of its record. If it cannot get there, as it
        does not ask for what is recorded, the gate raises ReplayError.
        """
        gate = self.future()
        self._held.append((what, gate))
        self._look_soon()
        return gate

    async def caught_up(self) -> None:
        """Return when the code has come to the end of its record, or to where it needs more.

        Where nothing else is under way, there is no order to keep.
        """
        is_alone = self._open <= 1 and not self.scope.is_forked
        if not is_alone and (self._expected or self._record or self._under_way):
            gate = self.future()
            self._late.append(gate)
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
            place.number = self._claims
            self._claims += 1
            if place.alone == self._calls and not self.scope.is_forked:
                return ""  # nothing else was under way meanwhile: there is no order
            return str(Stamp(self._attempt, place.number, self._calls))

    def pass_alone(self, place: Place) -> bool:
        """Let a place's turn come now, if nothing else is under way."""
        if self._open > 1 or self.scope.is_forked:
            return False
        if self._record:
            self._record.clear()
        self._pass(place)
        return True

    def pass_at_once(self, place: Place) -> bool:
        """Let a place's turn come now, if nothing is before it and the code has settled."""
        self._skip()
        is_first = place.stamp is None and place.number == self._passed
        if not is_first or self.is_replaying:
            return False
        if self._wakes_nobody(place):
            self._count(place)
            return True
        if not self._has_settled():
            return False
        self._pass(place)
        return True

    def line_up(self, place: Place) -> None:
        """Let a place wait for its turn."""
        if place.stamp is not None:
            heappush(self._record, (place.stamp, id(place), place))
        elif place.number >= 0:
            self._line[place.number] = place
        else:  # dropped before anything had happened
            self._tell(place)
            return
        if place.stamp is None and not self._is_looking:
            self._go_on()
        else:
            self._look_soon()

    def leave(self, place: Place) -> None:
        """Give a place up: nothing becomes known there."""
        self._close(place)
        if place.number >= self._passed and place.number not in self._line:
            self._line[place.number] = place
        if self.is_pending:
            self._look_soon()

    # -- one after the other ---------------------------------------------------------------------

    def _look_soon(self, seconds: float = 0.0) -> None:
        if self._is_looking:
            return
        self._is_looking = True
        loop, context = self._around.loop, contextvars.Context()
        if seconds:
            loop.call_later(seconds, self._look, context=context)
        else:
            loop.call_soon(self._look, context=context)

    def _look(self) -> None:
        self._is_looking = False
        self._go_on()

    def _go_on(self) -> None:
        while self.is_pending:
            if not self._has_settled():
                self._look_soon()
                return
            if not self._advance():
                return

    def _has_settled(self) -> bool:
        if not self._is_moving and not self.is_replaying:
            return True  # in a replay, the code's own timers let it go on as well
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
        if self._record:
            if self._record[0][0].calls > self._calls and self._waits_outside():
                return False
            _, _, place = heappop(self._record)
            self._tell(place)
            return True
        if (self._expected or self._under_way) and self._waits_outside():
            return False
        if self._passed in self._line:
            self._tell(self._line.pop(self._passed))
            return True
        return self._let_begin()

    def _skip(self) -> None:
        """Forget what was given up."""
        while self._record and (self._record[0][2].is_dropped or self._record[0][2].is_over):
            heappop(self._record)
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
        late, self._late = self._late, []
        if any(not turn.done() for turn in late):
            for turn in late:
                turn.come()
            self._is_moving = True
            return True
        held = [(what, gate) for what, gate in self._held if not gate.done()]
        if not held:
            self._held = []
            return False
        if (self._expected or self._under_way) and self._around.is_at_work_below(self.scope):
            self._look_later()
            return False
        self._held = []
        self._under_way.clear()
        for what, gate in held:
            if self._expected:
                gate.set_exception(self._astray(what))
            else:
                gate.set_result(None)
        self._is_moving = True
        return False

    def _astray(self, what: str) -> ReplayError:
        missing = ", ".join(map(repr, sorted(self._expected)[:3]))
        return ReplayError(
            f"expected the code to ask for {missing}, which this run has recorded, found a call of "
            f"{what} that it has not: nothing was executed. Let the code make the recorded calls "
            "again, in the order in which it made them, or start a new run."
        )

    def _tell(self, place: Place) -> None:
        if self._wakes_nobody(place):
            self._count(place)
        else:
            self._pass(place)
        if place.outcome is not None and not place.is_dropped:
            place.outcome()
        place.outcome = None

    def _wakes_nobody(self, place: Place) -> bool:
        if place.future is None:
            return False
        if place.is_silent is None:
            place.is_silent = self._gathered.wakes_nobody(place.future)
        return place.is_silent

    def _pass(self, place: Place) -> None:
        self._count(place)
        self._is_moving = True

    def _count(self, place: Place) -> None:
        number = place.number
        if number >= self._passed:
            self._passed = number + 1
        if self._line:
            self._line.pop(number, None)
        self._close(place)

    def _close(self, place: Place) -> None:
        if not place.is_over:
            place.is_over = True
            self._open -= 1
