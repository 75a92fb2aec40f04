"""Runs of versions that kept their events in a stream: no worker of today can go on with them."""

from __future__ import annotations

__all__ = ["refuse_older_runs"]

from typing import Any

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
    for status in sorted(OPEN):
        oldest: Any = connection.zrange(keys.runs(status), 0, 0)
        for name in oldest:
            run_id = name.decode()
            kind: Any = connection.type(keys.events(run_id))
            if kind == b"stream":
                raise ConfigurationError(
                    f"run {run_id!r} is {status} and was enqueued by a version before 0.1, whose "
                    "keys this one does not read: let a worker of that version end it, or choose "
                    "another prefix, PENSTOCK_PREFIX."
                )
