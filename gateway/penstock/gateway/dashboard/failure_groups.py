"""Groups of failures as somebody may see them."""

from __future__ import annotations

__all__ = ["read_groups"]

from penstock.gateway.dashboard.visit import Visit
from penstock.gateway.redaction import redacted_group
from penstock.runtime.types.failure_group import FailureGroup


async def read_groups(visit: Visit, limit: int, cause: str | None = None) -> list[FailureGroup]:
    """Read groups of failures, the one that grew last first; with a cause, that one alone."""
    found = await visit.client.failures(limit, cause=cause)
    return found if visit.sees_values else [redacted_group(group) for group in found]
