"""The places of events in the stream of a thread: the same number for each reader, for ever (W11).

The runs of a thread are numbered as they begin. The place of an event is the number of its run, the
seq of its fact there, and its own number among those that the fact gives, in one integer that the
numbers of JavaScript hold.
"""

from __future__ import annotations

__all__ = ["Place", "Tape"]

from collections.abc import Sequence
from typing import Final, NamedTuple, cast

from penstock.gateway.keys import GatewayKeys
from penstock.publisher.redis.script import Call
from penstock.publisher.redis.script import load as load_script
from penstock.runtime.redis.keys import thread_key
from penstock.runtime.redis.plans.requests import Plan, RequestPlans
from penstock.runtime.redis.replies import scored

_NUMBER_BITS: Final = 10
_FACT_BITS: Final = 25

_LAST: Final = (1 << _NUMBER_BITS) - 1
_LAST_FACT: Final = (1 << _FACT_BITS) - 1

KEPT_RUNS: Final = 1000
"""Runs of a thread whose numbers are known."""

KEPT_MS: Final = 30 * 86_400_000
"""Milliseconds that they are known after the last of them began."""


class Place(NamedTuple):
    """A place in the stream of a thread."""

    run: int
    """The number of the run, from 1 on."""
    fact: int
    """The seq of a fact of the run."""
    number: int
    """The number of an event among those of the fact, from 1 on."""

    @classmethod
    def read(cls, seq: int) -> Place:
        """Read the place that an integer stands for."""
        run, rest = divmod(seq, 1 << (_NUMBER_BITS + _FACT_BITS))
        return cls(run, rest >> _NUMBER_BITS, rest & _LAST)

    @classmethod
    def behind(cls, run: int, fact: int) -> Place:
        """Return the place behind all events of a fact."""
        return cls(run, fact, _LAST)

    @property
    def seq(self) -> int:
        """The integer; those behind the last of a fact's 1,023 places share it."""
        fact = min(self.fact, _LAST_FACT)
        return ((self.run << _FACT_BITS | fact) << _NUMBER_BITS) | min(self.number, _LAST)


class Tape:
    """The numbers of the runs of one thread, as plans without IO."""

    def __init__(self, plans: RequestPlans, thread_id: str) -> None:
        self._prefix = plans.keys.prefix
        self._thread = thread_key(thread_id)
        self._key = GatewayKeys(self._prefix).tape(self._thread)

    def number(self, run_ids: Sequence[str]) -> Plan[dict[str, int]]:
        """Number runs, given in their order, and return their numbers; those of none are left out.

        Whoever asks first decides, and the others learn of it.
        """
        kept = list(run_ids)[-KEPT_RUNS:]
        script = load_script("penstock.gateway.compatible.scripts", "number_runs")
        reply = yield Call(script, (), (self._prefix, self._thread, KEPT_MS, KEPT_RUNS, *kept))
        found = zip(kept, cast("Sequence[int]", reply), strict=True)
        return {run_id: int(number) for run_id, number in found if number}

    def number_of(self, run_id: str) -> Plan[int]:
        """Return the number that a run has; 0 for none."""
        score = yield ("ZSCORE", self._key, run_id)
        return int(float(score)) if score is not None else 0

    def run_at(self, number: int) -> Plan[tuple[str, int] | None]:
        """Return the first run that has a number, or a higher one, with its number; None if none.

        It may be gone: numbers are kept longer than some runs.
        """
        reply = yield ("ZRANGEBYSCORE", self._key, number, "+inf", "WITHSCORES", "LIMIT", 0, 1)
        found = scored(reply)
        return (found[0][0].decode(), int(float(found[0][1]))) if found else None
