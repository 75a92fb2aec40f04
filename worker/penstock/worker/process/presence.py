"""Detects the death of a worker by its connection, which the kernel closes with the process.

A worker subscribes to a channel of its own, and notes in its registration on which server. When the
channel has no subscriber any more, other workers end its leases, long before these end by
themselves. A connection may be cut although the process lives: the worker has some time to
subscribe again, and the fences refuse its writes if it does not. After a restart of Redis or a
failover, an empty channel proves nothing: then leases end by themselves.
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
"""Field of a worker's hash: the server and the channel that the worker is subscribed to."""

GRACE: Final = 0.5
"""Seconds that a worker whose connection was closed has to subscribe again."""

OTHERS: Final = 30.0
"""Seconds after which workers without a presence, such as RQ's own, are checked again."""


class Presence:
    """Notes in a worker's registration that it is subscribed to its channel."""

    def __init__(self, keys: Keys, worker: str, write: Callable[[str], None]) -> None:
        self.channel = keys.presence(worker)
        self._write = write

    def note(self, connection: Redis) -> bool:
        """Note the presence if the channel has a subscriber; return whether no more is to be done.

        The question goes over another connection than the subscription: if the two reach different
        servers, an empty channel proves nothing.
        """
        try:
            listeners: Any = connection.pubsub_numsub(self.channel)
            if not listeners[0][1]:
                return False
            server = server_of(connection)
        except RedisError as error:
            logger.debug("leases of this worker end by themselves: %s", error)
            return True
        self._write(f"{server} {self.channel}")
        return True


class Absence:
    """Finds the dead ones among the workers that are not subscribed.

    The worker that looks, `own`, is none of them, however often its subscription is cut.
    """

    def __init__(self, connection: Redis, keys: Keys, own: str = "") -> None:
        self._connection = connection
        self._keys = keys
        self._own = own
        self._since: dict[str, float] = {}
        self._others: dict[str, float] = {}

    @property
    def is_suspected(self) -> bool:
        """Whether a worker may have died, which the next check decides."""
        return bool(self._since)

    def dead(self, silent: Sequence[str]) -> Iterator[Death]:
        """Yield the workers that have been silent for the grace, of those that are silent now."""
        now = time.monotonic()
        self._others = {name: until for name, until in self._others.items() if until > now}
        self._since = {
            name: self._since.get(name, now)
            for name in silent
            if name not in self._others and name != self._own
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
        """Return a worker's presence, "" if it is not of this server and prefix."""
        noted: Any = self._connection.hget(self._keys.worker(worker), PRESENCE)
        text = noted.decode("utf-8", "replace") if noted else ""
        return text if text.startswith(f"{server} {self._keys.presence(worker)} ") else ""


def server_of(connection: Redis) -> str:
    """Return the id of this start of the server."""
    info: Any = connection.info("server")
    return str(info["run_id"])
