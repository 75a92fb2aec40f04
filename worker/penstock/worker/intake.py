"""Where a worker gets its runs from: RQ's queues, by priority."""

from __future__ import annotations

__all__ = ["Intake"]

import uuid
from collections.abc import Sequence
from typing import Any, Final, cast

from redis import Redis

from penstock.publisher.script import Call, run
from penstock.runtime.redis.calls import Calls, Taken
from penstock.runtime.settings import Settings

BATCH: Final = 64
"""Runs claimed in one round trip, at most."""


class Intake:
    """Claims runs off queues, for one worker, over a connection of its own."""

    def __init__(
        self,
        connection: Redis,
        calls: Calls,
        settings: Settings,
        worker: str,
        queues: Sequence[str],
    ) -> None:
        self._connection = connection
        self._calls = calls
        self._settings = settings
        self._worker = worker
        self._queues = queues
        self._unanswered: Call | None = None

    def claim(self, room: int, suspects: int, popped: tuple[str, str] = ("", "")) -> Taken:
        """Claim what is there; where the answer was lost, the very same call is sent again."""
        if self._unanswered is None:
            self._unanswered = self._calls.take(
                self._worker,
                uuid.uuid4().hex[:16],
                self._settings.lease,
                min(room, BATCH),
                self._queues,
                popped,
                suspects,
                self._settings.crashes,
            )
        taken = self._calls.taken(run(self._connection, self._unanswered))
        self._unanswered = None
        return taken

    def forget(self) -> None:
        """Let the next claim be a new one: this one was refused."""
        self._unanswered = None

    def pop(self, timeout: int) -> tuple[str, str] | None:
        """Block until a ticket comes; returns its queue and itself.

        A worker that dies right after this loses the ticket, not the run: recovery rings again.
        """
        keys = [self._calls.keys.queue(name) for name in self._queues]
        popped = cast(Any, self._connection.blpop(keys, timeout))
        if popped is None:
            return None
        key, ticket = popped
        return self._queues[keys.index(key.decode())], ticket.decode("utf-8", "replace")

    def put_back(self, popped: tuple[str, str]) -> None:
        """Give a ticket back to the front of its queue."""
        queue, ticket = popped
        self._connection.lpush(self._calls.keys.queue(queue), ticket)

    def is_suspended(self) -> bool:
        """Tell whether `rq suspend` has told all workers to pause."""
        return bool(self._connection.exists(self._calls.keys.suspended))
