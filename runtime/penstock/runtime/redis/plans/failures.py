"""Groups of failures, as plans without IO."""

from __future__ import annotations

__all__ = ["failures"]

from collections.abc import Mapping
from datetime import UTC, datetime

from penstock.publisher.codec.codec import Codec
from penstock.runtime.journal.failure_reason import read_reason
from penstock.runtime.redis.plans.requests import Plan, Reads, texts
from penstock.runtime.redis.plans.search import SearchPlans
from penstock.runtime.types.failure_group import FailureGroup
from penstock.runtime.types.run_filter import RunFilter


def failures(search: SearchPlans, limit: int) -> Plan[list[FailureGroup]]:
    """Read the groups of failures that have failed runs, the one that grew last first."""
    names = [name.decode() for name in (yield ("ZRANGE", search.keys.causes, 0, -1))]
    rows = yield Reads([("HGETALL", search.keys.cause(name)) for name in names])
    known = [(name, texts(row)) for name, row in zip(names, rows, strict=True) if row]
    known.sort(key=lambda each: int(each[1]["last"]), reverse=True)
    found: list[FailureGroup] = []
    for name, fields in known:
        failed = yield from search.count(RunFilter.of(error=name, status="failed"))
        if failed:
            found.append(_group(name, fields, failed, search.codec))
        if len(found) == limit:
            break
    return found


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
        _moment(fields["first"]),
        _moment(fields["last"]),
        fields["run"],
    )


def _moment(milliseconds: str) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
