"""Checks that a worker can use its Redis, before it takes anything."""

from __future__ import annotations

__all__ = ["require_redis"]

import logging
import time
from typing import Final

from redis import Redis
from redis.exceptions import RedisError

from penstock.publisher.redis.cause import explained, waits_for
from penstock.publisher.redis.connection import connect, transient
from penstock.publisher.redis.retries import unavailable
from penstock.runtime.diagnostics.doctor import risks
from penstock.runtime.diagnostics.doctor.cluster import refuse_cluster
from penstock.runtime.diagnostics.doctor.facts import read_server
from penstock.runtime.diagnostics.doctor.permissions import require
from penstock.runtime.redis.keys import Keys
from penstock.runtime.settings import Settings

logger = logging.getLogger(__name__)

LOOK: Final = 1.0
"""Seconds between two tries on a Redis that takes no commands yet."""

TRIES: Final = 3
"""Tries on a Redis that does not answer: one without free connections may just hang up."""

PAUSE: Final = 0.2

SAY: Final = 10.0
"""Seconds between two log lines about it."""


def require_redis(settings: Settings, *, warn: bool) -> None:
    """Return once Redis can be used; wait while it refuses commands only for now.

    With `warn`, log settings by which Redis may lose runs.

    Raises:
        RedisUnavailableError: it does not answer, or refuses for good; names the fix.
    """
    last_log, tries = -SAY, 0
    with connect(settings.redis) as connection:
        while (error := _trouble(connection, settings)) is not None:
            tries = 0 if waits_for(error) else tries + 1
            if tries and (tries == TRIES or not transient(error)):
                raise unavailable(error, connection) from error
            if tries:
                time.sleep(PAUSE)
                continue
            if time.monotonic() - last_log >= SAY:
                last_log = time.monotonic()
                logger.warning("waiting for Redis: %s", explained(error))
            time.sleep(LOOK)
        if warn:
            _warn_of_risks(connection)


def _trouble(connection: Redis, settings: Settings) -> Exception | None:
    try:
        connection.ping()
        refuse_cluster(connection)
        keys = Keys.of(settings, connection)
        require(connection, keys, "worker")
    except (RedisError, OSError) as error:
        return error
    return None


def _warn_of_risks(connection: Redis) -> None:
    try:
        found = risks(read_server(connection))
    except RedisError:  # a user who may not ask, or a server that is not real
        return
    for finding in found:
        logger.warning(
            "Redis: %s. %s See penstock doctor.",
            finding.message,
            finding.means,
            extra={"event": "redis.risk"},
        )
