"""What earlier attempts have recorded of a scope, and its code has not got to know again."""

from __future__ import annotations

__all__ = ["Record"]

from collections.abc import Iterable
from heapq import heapify, heappop, heappush

from penstock.runtime.engine.waiting.own_timers import PastTimer, TimerName
from penstock.runtime.engine.waiting.place import Line, Place
from penstock.runtime.engine.waiting.stamp import Stamp


class Record:
    """The places that wait for their turn on the record, and what the code is yet to ask for."""

    def __init__(self, expected: set[str], under_way: set[str]) -> None:
        self.expected = expected
        """Recorded steps that the code has not asked for."""
        self.under_way = under_way
        """Steps elsewhere that it has not asked for; it may do so no more, as nothing ended."""
        self._places: list[tuple[Stamp, int, Place]] = []
        self._timers: dict[TimerName, bool] = {}

    def __bool__(self) -> bool:
        return bool(self.expected or self._places or self.under_way)

    @property
    def is_expecting(self) -> bool:
        """Whether the code is yet to ask for something."""
        return bool(self.expected or self.under_way)

    @property
    def first(self) -> Place | None:
        """The place whose turn is next, None for none."""
        places = self._places
        while places and (places[0][2].is_dropped or places[0][2].is_over):
            heappop(places)
        return places[0][2] if places else None

    def add(self, place: Place, stamp: Stamp) -> None:
        """Let a place wait for its turn."""
        heappush(self._places, (stamp, id(place), place))

    def add_timers(self, line: Line, timers: Iterable[tuple[Stamp, TimerName]]) -> bool:
        """Let timers wait for their turns that were over in earlier attempts; tell if any do."""
        for stamp, name in timers:
            self._timers[name] = False
            self.add(PastTimer(line, name, stamp), stamp)
        return bool(self._timers)

    def has_timer(self, name: TimerName) -> bool:
        """Tell whether a timer waits for its turn."""
        return name in self._timers

    def timer_began(self, name: TimerName) -> None:
        """Take note that the code has begun a timer."""
        if name in self._timers:
            self._timers[name] = True

    def is_to_begin(self, name: TimerName) -> bool:
        """Tell whether a timer waits for its turn that the code has not begun."""
        return not self._timers.get(name, True)

    def take(self) -> None:
        """Take the place off the record whose turn it is."""
        _, _, place = heappop(self._places)
        if isinstance(place, PastTimer):
            self._timers.pop(place.timer, None)

    def asked(self, step_id: str) -> None:
        """Take note that a step was asked for."""
        self.expected.discard(step_id)
        self.under_way.discard(step_id)

    def forget_places(self) -> None:
        """Forget the places of what was given up, which are all but those of timers."""
        if self._places:
            self._places = [each for each in self._places if isinstance(each[2], PastTimer)]
            heapify(self._places)
