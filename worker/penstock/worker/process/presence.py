"""Tells that a worker has died by its connection, which the kernel closes with the process.

A worker listens to a channel of its own, and notes in its registration on which server it does.
Once nobody listens there any more, others end its leases, long before these end by themselves. A
connection may be cut though the process lives: it is given the time to listen again, and its fences
keep it from storing anything if it does not. A server that was started anew, or another one after a
failover, tells nothing by an empty channel: then leases end by themselves.
"""

from __future__ import annotations

__all__ = ["GRACE", "PRESENCE", "Absence", "Presence"]

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from redis import Redis
from redis.exceptions import RedisError

from penstock.runtime.redis.calls import Death
from penstock.runtime.redis.keys import Keys

logger = logging.getLogger(__name__)

PRESENCE: Final = "penstock_presence"
"""The field of a worker's hash that says on which server it listens to which channel."""

GRACE: Final = 0.5
"""Seconds that a worker whose connection is gone has to listen again."""

OTHERS: Final = 30.0
"""Seconds for which workers that note no presence, as RQ's own, are not looked at again."""


class Presence:
    """Notes in a worker's registration that it listens to its channel."""

    def __init__(self, keys: Keys, worker: str, write: Callable[[str], None]) -> None:
        self.channel = keys.presence(worker)
        self._write = write

    def note(self, connection: Redis) -> bool:
        """Note it if Redis knows of a listener; tell whether that is done, or can never be.

        It is asked over another connection than the one that listens: where the two come to
        different servers, an empty channel would tell nothing.
        """
        try:
            heard: Any = connection.pubsub_numsub(self.channel)
            if not heard[0][1]:
                return False
            server = server_of(connection)
        except RedisError as error:
            logger.debug("leases of this worker end by themselves: %s", error)
            return True
        self._write(f"{server} {self.channel}")
        return True


class Absence:
    """Sorts out those that have died of the workers that do not listen."""

    def __init__(self, connection: Redis, keys: Keys) -> None:
        self._connection = connection
        self._keys = keys
        self._since: dict[str, float] = {}
        self._others: dict[str, float] = {}

    @property
    def is_suspected(self) -> bool:
        """Whether a worker may have died, which the next look tells."""
        return bool(self._since)

    def dead(self, silent: Sequence[str]) -> Iterator[Death]:
        """Give those that have been silent for the grace, of all that are silent now."""
        now = time.monotonic()
        self._others = {name: until for name, until in self._others.items() if until > now}
        self._since = {
            name: self._since.get(name, now) for name in silent if name not in self._others
        }
        server = server_of(self._connection) if self._since else ""
        for name, since in tuple(self._since.items()):
            presence = self._noted(name, server)
            if not presence:
                self._others[name] = now + OTHERS
                del self._since[name]
            elif now - since >= GRACE:
                del self._since[name]
                yield Death(name, "its connection to Redis was closed", presence=presence)

    def _noted(self, worker: str, server: str) -> str:
        """Return what a worker has noted, "" if that says nothing of this server and prefix."""
        noted: Any = self._connection.hget(self._keys.worker(worker), PRESENCE)
        text = noted.decode("utf-8", "replace") if noted else ""
        return text if text.startswith(f"{server} {self._keys.presence(worker)} ") else ""


def server_of(connection: Redis) -> str:
    """Return what Redis calls this start of the server."""
    info: Any = connection.info("server")
    return str(info["run_id"])
