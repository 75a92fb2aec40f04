"""How a worker takes runs: off RQ's queues, by priority."""

from __future__ import annotations

__all__ = ["Consumer"]

import uuid
from collections.abc import Sequence
from typing import Final

from redis import Redis

from penstock.publisher.redis.script import Call
from penstock.runtime.executor.observer import Observer
from penstock.runtime.redis.calls import Calls
from penstock.runtime.redis.replies import Taken
from penstock.runtime.redis.timed_call import timed
from penstock.runtime.redis.world import World
from penstock.runtime.settings import Settings

BATCH: Final = 64
"""Runs claimed in one round trip, at most."""


class Consumer:
    """Claims runs off queues, for one worker, over a connection of its own."""

    def __init__(
        self,
        connection: Redis,
        calls: Calls,
        settings: Settings,
        worker: str,
        queues: Sequence[str],
        app: str = "",
        observer: Observer | None = None,
    ) -> None:
        self._connection = connection
        self._calls = calls
        self._world = World(calls.keys.prefix)
        self._settings = settings
        self._worker = worker
        self._queues = queues
        self._app = app
        self._unanswered: Call | None = None
        self._observer = observer
        self.is_dry = False
        """Whether the last claim took all tickets, so that the next one should wait for a ticket.

        Never with several queues: there, a wait may lose an ordinary job, a claim cannot.
        """

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def claim(
        self,
        slots: int,
        busy: int,
        popped: tuple[str, str] | None = None,
        *,
        alone: bool = False,
    ) -> Taken:
        """Claim queued runs; if the reply was lost, the very same call is sent again.

        The worker executes `busy` runs and jobs. With `alone`, it takes only the suspect whose
        ticket it has held back.
        """
        self.is_dry = False
        if self._unanswered is None:
            self._unanswered = self._calls.take(
                self._worker,
                uuid.uuid4().hex[:16],
                self._settings.lease,
                min(slots, BATCH),
                () if alone else self._queues,
                popped or ("", ""),
                busy=busy,
                crashes=self._settings.crashes,
                app=self._app,
                mode="alone" if alone else "",
            )
        on_call = None if self._observer is None else self._observer.called
        taken = self._calls.taken(timed(self._connection, self._unanswered, on_call))
        if self._observer is not None and taken.parked:
            self._observer.parked(taken.parked)
        self._unanswered = None
        is_all = not taken.job and len(taken.claims) < min(slots, BATCH)
        self.is_dry = is_all and len(self._queues) == 1
        return taken

    def poll_again(self) -> None:
        """Let the next call be a claim: no ticket announces parked runs."""
        self.is_dry = False

    def forget(self) -> None:
        """Let the next claim be a new one, because this one was refused."""
        self._unanswered = None

    def pop(self, timeout: int) -> tuple[str, str] | None:
        """Block until a ticket comes; returns its queue and itself.

        A worker that dies right after this loses a ticket, not the run: recovery writes a new one.
        An ordinary RQ job is as safe as in RQ's own pop: kept in the queue's intermediate list if
        the worker has one queue; for several queues, Redis has no such command.
        """
        keys = self._calls.keys
        if len(self._queues) == 1:
            queue = self._queues[0]
            alone = self._connection.blmove(
                keys.queue(queue), keys.popped(queue), timeout, "LEFT", "RIGHT"
            )
            return (queue, _text(alone)) if alone is not None else None
        queues = {keys.queue(name): name for name in self._queues}
        found = self._connection.blpop(list(queues), timeout)
        return (queues[_text(found[0])], _text(found[1])) if found is not None else None

    def put_back(self, popped: tuple[str, str]) -> None:
        """Give a ticket back to the front of its queue."""
        queue, ticket = popped
        with self._connection.pipeline(transaction=True) as both:
            both.lrem(self._calls.keys.popped(queue), 1, ticket)
            both.hdel(self._calls.keys.run(self._world.run(ticket)), "reserved")
            both.lpush(self._calls.keys.queue(queue), ticket)
            both.execute()

    def is_suspended(self) -> bool:
        """Return whether `rq suspend` has paused all workers."""
        return bool(self._connection.exists(self._calls.keys.suspended))


def _text(reply: str | bytes) -> str:
    return reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
