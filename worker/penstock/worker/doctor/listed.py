"""Reads the lists of runs."""

from __future__ import annotations

__all__ = ["counts", "newest_runs"]

from collections.abc import Mapping
from typing import Any

from redis import Redis

from penstock.publisher.codec.codec import Codec
from penstock.publisher.plan import follow
from penstock.runtime.redis.keys import Keys
from penstock.runtime.redis.plans.requests import Plan
from penstock.runtime.redis.plans.search import SearchPlans
from penstock.runtime.redis.transport import ask
from penstock.runtime.types.run_filter import RunFilter


def counts(connection: Redis, keys: Keys) -> Mapping[str, int]:
    """Count the runs by status.

    Raises:
        redis.exceptions.RedisError: Redis does not answer, or refuses.
    """
    found: dict[str, int] = _follow(connection, _search(keys).counts(RunFilter(), "status"))
    return found


def newest_runs(connection: Redis, keys: Keys, status: str, limit: int) -> list[str]:
    """Return the ids of the newest runs in a status.

    Raises:
        redis.exceptions.RedisError: Redis does not answer, or refuses.
    """
    page = _follow(connection, _search(keys).page(RunFilter.of(status=status), limit))
    return [run.run_id for run in page]


def _search(keys: Keys) -> SearchPlans:
    return SearchPlans(keys, Codec())


def _follow(connection: Redis, plan: Plan[Any]) -> Any:
    return follow(plan, lambda request: ask(connection, request))
