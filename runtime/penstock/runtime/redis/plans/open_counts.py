"""Counts open runs, as a plan without IO."""

from __future__ import annotations

__all__ = ["open_counts"]

from collections.abc import Sequence

from penstock.runtime.redis.facets import ALL
from penstock.runtime.redis.keys import Keys
from penstock.runtime.redis.plans.requests import Plan, Reads
from penstock.runtime.types.run import RunStatus


def open_counts(keys: Keys, facets: Sequence[str]) -> Plan[dict[RunStatus, int]]:
    """Count the open runs of facets by status: each is queued, unless it is in the set of another.

    Of all runs, those that are suspended are not read, as there may be very many.
    """
    waits = keys.open("suspended")
    total, running, suspended = 0, 0, 0
    replies = yield Reads(
        [
            command
            for listed in map(keys.open, facets)
            for command in (
                ("ZCARD", listed),
                ("ZINTER", 2, listed, keys.leases),  # which has remote steps, too
                ("ZCARD", waits) if listed == keys.open(ALL) else ("ZINTER", 2, listed, waits),
            )
        ]
    )
    for size, at_work, waiting in zip(*[iter(replies)] * 3, strict=True):
        total += size
        running += len(at_work)
        suspended += waiting if isinstance(waiting, int) else len(waiting)
    return {
        RunStatus.QUEUED: max(total - running - suspended, 0),
        RunStatus.RUNNING: running,
        RunStatus.SUSPENDED: suspended,
    }
