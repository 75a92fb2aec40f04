"""Runs of versions that kept their events in a stream: no worker of today can go on with them."""

from __future__ import annotations

__all__ = ["refuse_older_runs"]

from typing import cast

from redis import Redis

from penstock.runtime.errors import ConfigurationError
from penstock.runtime.redis.keys import Keys
from penstock.runtime.types.run import OPEN


def refuse_older_runs(connection: Redis, keys: Keys) -> None:
    """Look at the oldest run of each status that is open.

    Raises:
        ConfigurationError: its events are in a stream, as releases before 0.1 kept them.
        redis.exceptions.RedisError: Redis does not answer, or refuses.
    """
    statuses = sorted(OPEN)
    with connection.pipeline(transaction=False) as pipeline:
        for status in statuses:
            pipeline.zrange(f"{keys.prefix}:runs:{status}", 0, 0)  # which today's versions have not
        oldest = cast("list[list[bytes]]", pipeline.execute())
        found = [
            (status, name.decode())
            for status, names in zip(statuses, oldest, strict=True)
            for name in names
        ]
        for _, run_id in found:
            pipeline.type(keys.events(run_id))
        kinds = cast("list[bytes]", pipeline.execute())
    for (status, run_id), kind in zip(found, kinds, strict=True):
        if kind == b"stream":
            raise ConfigurationError(
                f"run {run_id!r} is {status} and was enqueued by a version before 0.1, whose keys "
                "this one does not read: let a worker of that version end it, or choose another "
                "prefix, PENSTOCK_PREFIX."
            )
