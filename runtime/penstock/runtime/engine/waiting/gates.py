"""What waits for the end of a replay: steps that are not on the record, and what comes late."""

from __future__ import annotations

__all__ = ["Gates"]

import asyncio

from penstock.runtime.engine.waiting.place import Turn
from penstock.runtime.errors import ReplayError


class Gates:
    """The gates of one scope."""

    def __init__(self) -> None:
        self._held: list[tuple[str, asyncio.Future[None]]] = []
        self._late: list[Turn] = []

    def __bool__(self) -> bool:
        return bool(self._held or self._late)

    @property
    def is_holding(self) -> bool:
        """Whether steps wait to begin."""
        return bool(self._held)

    def hold(self, what: str, gate: asyncio.Future[None]) -> None:
        """Let a step wait; `what` says which call it is."""
        self._held.append((what, gate))

    def put_off(self, turn: Turn) -> None:
        """Let something be numbered after the record."""
        self._late.append(turn)

    def let_late_come(self) -> bool:
        """Let what was put off come; tell whether there was any that somebody waits for."""
        late, self._late = self._late, []
        is_awaited = any(not turn.done() for turn in late)
        for turn in late:
            turn.come()
        return is_awaited

    def forget_given_up(self) -> None:
        """Forget the steps that were given up as they waited."""
        self._held = [(what, gate) for what, gate in self._held if not gate.done()]

    def open(self, expected: set[str]) -> None:
        """Let the steps begin, or raise ReplayError in them if recorded ones are `expected`."""
        held, self._held = self._held, []
        for what, gate in held:
            if expected:
                gate.set_exception(_out_of_order(what, expected))
            else:
                gate.set_result(None)


def _out_of_order(what: str, expected: set[str]) -> ReplayError:
    missing = ", ".join(map(repr, sorted(expected)[:3]))
    return ReplayError(
        f"expected the code to ask for {missing}, which this run has recorded, found a call of "
        f"{what} that it has not: nothing was executed. Let the code make the recorded calls "
        "again, in the order in which it made them, or start a new run."
    )
