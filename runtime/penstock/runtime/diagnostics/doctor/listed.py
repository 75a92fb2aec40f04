"""Reads the lists of runs."""

from __future__ import annotations

__all__ = ["counts", "newest_runs"]

from collections.abc import Mapping
from typing import Any

from redis import Redis

from penstock.publisher.codec.codec import Codec
from penstock.publisher.plan import follow
from penstock.runtime.redis.facets import ALL
from penstock.runtime.redis.keys import Keys
from penstock.runtime.redis.plans.requests import Plan
from penstock.runtime.redis.plans.run_lists import EndedWalk, OpenWalk, Walk
from penstock.runtime.redis.plans.search import SearchPlans
from penstock.runtime.redis.transport import send
from penstock.runtime.types.run import OPEN, RunStatus
from penstock.runtime.types.run_filter import RunFilter


def counts(connection: Redis, keys: Keys) -> Mapping[str, int]:
    """Count the runs by status.

    Raises:
        redis.exceptions.RedisError: Redis does not answer, or refuses.
    """
    found: dict[str, int] = _follow(
        connection, SearchPlans(keys, Codec()).counts(RunFilter(), "status")
    )
    return found


def newest_runs(connection: Redis, keys: Keys, status: str, limit: int) -> list[str]:
    """Return the ids of the newest runs in a status, without a look at the runs themselves.

    Raises:
        redis.exceptions.RedisError: Redis does not answer, or refuses.
    """
    wanted = RunStatus(status)
    walk: Walk = EndedWalk(keys, (ALL,), (wanted,), (0, None))
    if wanted in OPEN:
        walk = OpenWalk(keys, (ALL,), wanted, (0, None))
    return [entry.run_id for entry in _follow(connection, walk.look(limit))]


def _follow(connection: Redis, plan: Plan[Any]) -> Any:
    return follow(plan, lambda request: send(connection, request))
