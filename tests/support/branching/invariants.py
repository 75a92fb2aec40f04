"""What must hold of a run, whatever was done to it and when."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

from tests.support.branching.oracle import frontier, is_plain, is_right, nodes_of
from tests.support.branching.program import Node
from tests.support.branching.trace import Attempt, Order, Trace

ROUNDED: Final = 0.005
"""Seconds that timers may be rounded by."""

BY_LOOP: Final = frozenset({"cut"})
"""Kinds whose own time is asyncio's: nobody records when it comes."""


class Watch:
    """Holds a run's trace against its program and against its own past."""

    def __init__(self, root: Node, trace: Trace, *, sleeps_here: bool = False) -> None:
        self._root = root
        self._trace = trace
        self._sleeps_here = sleeps_here
        self._kinds = {node.kind for node in nodes_of(root)}
        self._nodes = {node.place: node for node in nodes_of(root)}
        self._base: Order = defaultdict(list)
        self._seen = 0
        self._crashes = 0
        self._recorded: dict[str, int] = {}

    def crashed(self, recorded: list[str]) -> None:
        """Note that the process died; what is recorded by now must not be executed again."""
        self._crashes += 1
        self._check_order(until_the_end=False)
        for name in recorded:
            self._recorded.setdefault(name, self._trace.executed[name])

    # -- while it waits ---------------------------------------------------------------------------

    def check_suspended(self, asked: set[str], has_timer: bool | None) -> None:
        """See that an attempt left when it had to, waiting for what is of use and no more.

        `has_timer` is None where nothing wakes the run.
        """
        now = self._trace.now
        left = +now.at_work
        assert not left, f"the run left while these steps were at work: {sorted(left)}"
        self._check_order()
        sure, perhaps = now.open()
        assert asked <= sure | perhaps, f"asked though of no use: {sorted(asked - sure - perhaps)}"
        if has_timer is not False:  # else a time limit may be over, and wake the run just now
            missing = {place for place in sure - asked if self._nodes[place].kind != "limited"}
            assert not missing, f"these questions are not listed: {sorted(missing)}"
        if has_timer and not perhaps and "leave" not in self._kinds:
            assert now.waits(), "the run is to wake, and nothing waits for a time"
        if not asked:
            assert now.waits(), "the run waits for nothing"
        self._check_frontier(now, asked)
        self._check_begun()

    def _check_frontier(self, now: Attempt, asked: set[str]) -> None:
        if not is_plain(self._root):
            return
        _, places = frontier(self._root, now.places())
        waiting = asked | (now.waits() & places)
        missing = places - waiting
        assert not missing, f"branches could have come to {sorted(missing)}, and did not"

    def _check_order(self, *, until_the_end: bool = True) -> None:
        """See that each attempt gets to know things in the order of those before it.

        The last that a dying process got to know may have been known to nobody else.
        """
        if self._kinds & BY_LOOP:
            return
        for attempt in self._trace.attempts[self._seen :]:
            for step, known in attempt.known.items():
                base = self._base[step]
                both = list(zip(base, known, strict=False))
                differs = next((n for n, (old, new) in enumerate(both) if old != new), None)
                assert differs is None, (
                    f"in {step or 'the body'!r} things became known in another order: "
                    f"{base[: differs + 1]}, then {known[: differs + 1]}"
                )
                if until_the_end:
                    self._base[step] = max(base, known, key=len)
        self._seen = len(self._trace.attempts)

    def _check_begun(self) -> None:
        """See that no step was begun again, but for those a dying process was at."""
        for place, times in self._trace.begun.items():
            node = self._nodes.get(place)
            tries = node.tree[1] + 1 if node is not None and node.kind == "flaky" else 1
            most = tries * (1 + self._crashes)  # a dying process may lose all that it had tried
            assert times <= most, f"the step at {place} was begun {times} times"

    # -- at the end -------------------------------------------------------------------------------

    def check_end(self, result: Any) -> None:
        """See that a run came to what its program says, and did nothing twice."""
        self._check_order()
        self._check_begun()
        assert is_right(self._root, result), f"it came to {result}"
        for name, times in self._recorded.items():
            found = self._trace.executed[name]
            assert found == times, f"{name} was executed again, though it was recorded"
        self._check_sleeps()

    def _check_sleeps(self) -> None:
        if self._sleeps_here:
            return
        for place, node in self._nodes.items():
            if node.kind != "nap" or place not in self._trace.until:
                continue
            took = self._trace.until[place] - self._trace.since[place]
            least = node.tree[1] * node.nap - ROUNDED
            assert took >= least, f"the nap at {place} took {took:.3f} s, not {least:.3f} s"
