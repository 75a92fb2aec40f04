"""Fills a Redis with runs by the very script calls of clients and workers, many in a pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.processes import Client as Connection
from penstock.publisher.redis.script import Call, Reply, run_all
from penstock.runtime import Client
from penstock.runtime.journal.endings import Finished
from penstock.runtime.redis.calls import Write
from penstock.runtime.redis.plans.creation import Wanted, create
from penstock.runtime.redis.replies import Claim

__all__ = ["Filling"]

AT_ONCE = 500
LEASE = 60.0
STARTED = '{"mode":"run.started","data":{"name":"steps","input":0},"time":1763900000.123}'
FINISHED = (
    '{"mode":"run.finished","data":{"name":"steps","status":"completed"},"ref":"result",'
    '"time":1763900000.124}'
)


class Filling:
    """Creates runs, and ends them as a worker does."""

    def __init__(self, client: Client, connection: Connection) -> None:
        self._client = client
        self._connection = connection
        self._calls = client.plans.calls
        self._settings = client.settings

    def queue(self, count: int, tags: Mapping[str, str] | None = None) -> list[str]:
        """Enqueue runs that do nothing."""
        ids: list[str] = []
        for size in _parts(count):
            wanted = [Wanted("steps", 0, tags=tags or {}) for _ in range(size)]
            creations = [create(each, self._settings, self._client.plans.codec) for each in wanted]
            self._send([self._calls.enqueue(each) for each in creations])
            ids += [each.run_id for each in creations]
        return ids

    def finish(self, ids: list[str]) -> None:
        """Claim runs and end them, each with the events and the result that it would have."""
        for first in range(0, len(ids), AT_ONCE):
            some = ids[first : first + AT_ONCE]
            claims = [
                self._calls.acquired(reply)
                for reply in self._send(
                    [self._calls.acquire(each, "filling", "nonce", LEASE) for each in some]
                )
            ]
            self._send([self._end(claim) for claim in claims if isinstance(claim, Claim)])

    def keep(self, count: int) -> None:
        """Create runs and end them; their tickets are gone, as if a worker had taken them."""
        for size in _parts(count):
            self.finish(self.queue(size))
            self._connection.delete(self._calls.keys.queue("default"))

    def _end(self, claim: Claim) -> Call:
        events = [STARTED, "", FINISHED, ""]
        write = Write(1, {"result": "0"}, events, Finished("completed", None))
        return self._calls.write(claim.lease, write, 0)

    def _send(self, calls: list[Call]) -> list[Reply]:
        replies: list[Any] = run_all(self._connection, calls)
        failed = [reply for reply in replies if isinstance(reply, Exception)]
        if failed:
            raise failed[0]
        return replies


def _parts(count: int) -> Iterator[int]:
    for first in range(0, count, AT_ONCE):
        yield min(AT_ONCE, count - first)
