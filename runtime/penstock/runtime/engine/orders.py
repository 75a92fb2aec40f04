"""The orders of one attempt: one for each execution of a scope whose code runs on the loop."""

from __future__ import annotations

__all__ = ["Orders"]

from collections.abc import Iterator
from weakref import WeakSet

from penstock.runtime.engine.attempt.attempt import Attempt
from penstock.runtime.engine.step import Scope, Step
from penstock.runtime.engine.waiting.order import Order
from penstock.runtime.engine.waiting.place import Place
from penstock.runtime.engine.waiting.surroundings import Surroundings


class Orders:
    """Makes the order of a scope when its code first needs one, and keeps track of all of them."""

    def __init__(self, attempt: Attempt, around: Surroundings | None) -> None:
        self._attempt = attempt
        self._around = around
        self._orders: WeakSet[Order] = WeakSet()

    def __iter__(self) -> Iterator[Order]:
        return iter(tuple(self._orders))

    def of(self, scope: Scope) -> Order | None:
        """Return the order in which a scope's code on the loop gets to know things.

        None where nothing is recorded, and where no loop runs.
        """
        if scope.order is None and self._around is not None and self._attempt.journal.stores:
            recorded, under_way = set[str](), set[str]()
            has_past = self._attempt.journal.has_past
            if has_past and scope.step.tries == 1 and scope.step.is_recorded:
                recorded = self._attempt.replay.not_asked_in(scope.step_id)
                under_way = self._attempt.replay.under_way_in(scope.step_id)
            scope.order = Order(scope, self._around, recorded, under_way)
            self._orders.add(scope.order)
            if scope.timers is not None:
                scope.order.recall_timers()
        return scope.order

    def enter(self, order: Order, step: Step, what: str) -> Place:
        """Give a step its place; in a replay, let a new one begin when that is over."""
        step.place = place = order.begin(step.id if step.is_recorded else "")
        if self._attempt.journal.has_past and step.is_recorded and order.is_replaying:
            if not self._attempt.replay.has_entered(step.id):
                step.gate = order.gate(f"{what} {step.name!r}, step {step.id!r}")
        return place
