"""Groups of failures, as plans without IO."""

from __future__ import annotations

__all__ = ["failures"]

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from penstock.publisher.codec.codec import Codec
from penstock.runtime.journal.failure_reason import read_reason
from penstock.runtime.redis.facets import cause_facet
from penstock.runtime.redis.plans.requests import Plan, Reads
from penstock.runtime.redis.plans.run_lists import parts_of
from penstock.runtime.redis.plans.search import SearchPlans
from penstock.runtime.redis.run_record import texts
from penstock.runtime.types.failure_group import FailureGroup
from penstock.runtime.types.moment import moment_of

AT_ONCE: Final = 100
"""Groups whose runs are counted in one round trip."""


def failures(search: SearchPlans, limit: int, cause: str | None = None) -> Plan[list[FailureGroup]]:
    """Read the groups of failures that have failed runs, the one that grew last first.

    `cause` names the only one that is read.
    """
    names = [cause or ""]
    if cause is None:
        names = [name.decode() for name in (yield ("ZRANGE", search.keys.causes, 0, -1))]
    rows = yield Reads([("HGETALL", search.keys.cause(name)) for name in names])
    known = [(name, texts(row)) for name, row in zip(names, rows, strict=True) if row]
    known.sort(key=lambda each: int(each[1]["last"]), reverse=True)
    found: list[FailureGroup] = []
    for first in range(0, len(known), AT_ONCE):
        some = known[first : first + AT_ONCE]
        failed = yield from _failed(search, [name for name, _ in some])
        found += [_group(*each, failed[each[0]], search.codec) for each in some if failed[each[0]]]
        if len(found) >= limit:
            break
    return found[:limit]


def _failed(search: SearchPlans, causes: Sequence[str]) -> Plan[Counter[str]]:
    """Count the failed runs of causes."""
    facets = {cause_facet(cause): cause for cause in causes}
    counted: Counter[str] = Counter()
    for part, (size, less) in (yield from parts_of(search.keys, list(facets))).items():
        counted[facets[part.facet]] += size - less
    return counted


def _group(cause: str, fields: Mapping[str, str], failed: int, codec: Codec) -> FailureGroup:
    return FailureGroup(
        cause,
        fields["entrypoint"],
        fields["task"],
        fields["error"],
        fields["place"],
        read_reason(fields["reason"], codec.at("run", fields["run"])),
        failed,
        int(fields["count"]),
        moment_of(fields["first"]),
        moment_of(fields["last"]),
        fields["run"],
    )
