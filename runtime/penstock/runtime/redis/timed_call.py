"""Calls whose round trips are timed, for metrics."""

from __future__ import annotations

__all__ = ["OnCall", "timed"]

import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from redis import Redis

from penstock.publisher.redis.script import Call, Reply, run

OnCall: TypeAlias = Callable[[Sequence[str], float], object]
"""Takes the names of the scripts of one round trip, and how many seconds it took."""


def timed(connection: Redis, call: Call, on_call: OnCall | None) -> Reply:
    """Run a call, and tell how long its round trip took if it had an answer."""
    began = time.perf_counter()
    reply = run(connection, call)
    if on_call is not None:
        on_call([call.script.name], time.perf_counter() - began)
    return reply
