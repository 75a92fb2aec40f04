"""Redis in cluster mode, which Penstock refuses."""

from __future__ import annotations

__all__ = ["WHY", "is_cluster", "refuse_cluster"]

from collections.abc import Mapping
from typing import Any, Final

from redis import Redis
from redis.exceptions import RedisError

from penstock.publisher.errors import RedisUnavailableError
from penstock.publisher.redis.cause import fix_for

WHY: Final = fix_for(RedisError("in cluster mode"))
"""What is wrong with it, and the fix; the same text as in errors of single commands."""


def is_cluster(info: Mapping[str, Any]) -> bool:
    """Return from a reply to INFO whether a server is in cluster mode."""
    return bool(info.get("cluster_enabled"))


def refuse_cluster(connection: Redis) -> None:
    """Make sure that a server is not in cluster mode, as far as its user may ask.

    Raises:
        RedisUnavailableError: it is; names the fix.
    """
    try:
        info: Any = connection.info("cluster")
    except RedisError:  # a user who may not ask, or a server that is not real
        return
    if is_cluster(info):
        raise RedisUnavailableError(f"Redis cannot be used: {WHY}.")
