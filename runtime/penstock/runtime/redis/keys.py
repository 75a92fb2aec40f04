"""The names of all keys of runs and threads; scripts/names.lua builds the same ones."""

from __future__ import annotations

__all__ = ["PERMANENT", "Keys", "first_arguments", "thread_bytes", "thread_key", "thread_text"]

import hashlib
from dataclasses import dataclass
from typing import Self

from penstock.publisher.keys import EventKeys, database_of
from penstock.runtime.redis.world import World
from penstock.runtime.settings import Settings

PERMANENT = (
    "leases",
    "ready",
    "timers",
    "open:*",
    "entrypoints",
    "feed",
    "hooks",
    "webhooks",
    "webhooks:due",
    "webhook:*",
    "parked:*",
    "thread:*",
    "threads",
    "threads:*",
    "history:*",
    "cache:*",
    "graph:*",
)
"""Kinds of keys without a TTL: indexes, the feed, webhooks, the state of threads, cached values."""


@dataclass(frozen=True, slots=True)
class Keys(EventKeys):
    """Key names, one method a name; an open run's keys have no TTL, then its retention."""

    rq: str = "rq"

    @classmethod
    def of(cls, settings: Settings, connection: object) -> Self:
        """Return the names that settings give, in the database of a connection."""
        return cls(settings.prefix, settings.rq_prefix, database=database_of(connection))

    def run(self, run_id: str) -> str:
        """Hash of a run: status, entrypoint, thread, queue, fence, attempt, times, reason."""
        return f"{self.prefix}:run:{run_id}"

    def questions(self, run_id: str) -> str:
        """Hash of a run's open interrupts: id -> value, `<id>/schema` -> JSON schema."""
        return f"{self.prefix}:questions:{run_id}"

    def legs(self, run_id: str) -> str:
        """List of a run's legs from the second one on; runs that never went on have none."""
        return f"{self.prefix}:legs:{run_id}"

    def remote(self, run_id: str) -> str:
        """Hash of a run's remote steps under way: step id -> the run that performs it.

        Or `!<status> <reason>` of one that has come to nothing.
        """
        return f"{self.prefix}:remote:{run_id}"

    def thread(self, key: str) -> str:
        """Hash of a thread: its id, its last run, its values. Permanent if it was named.

        Of nested entrypoints that keep a state: `children`, and `saved:<name>` of each.
        """
        return f"{self.prefix}:thread:{key}"

    @property
    def threads(self) -> str:
        """Sorted set of the ids of threads that have a record, by their change (ms). Permanent."""
        return f"{self.prefix}:threads"

    def threads_of(self, list: str) -> str:
        """Sorted set of those of a status, of those `with:<digest>` in their metadata; and others.

        `created` has all by the time of their record, `ending` those that will be gone; `pairs` is
        a hash: id -> digests. Permanent.
        """
        return f"{self.prefix}:threads:{list}"

    def history(self, key: str) -> str:
        """List of a thread's checkpoints, the newest last. Kept as long as the thread's hash."""
        return f"{self.prefix}:history:{key}"

    def made(self, nonce: str) -> str:
        """What a change of a thread has made, so that it is not made twice; TTL: a minute."""
        return f"{self.prefix}:made:{nonce}"

    def waiting(self, key: str) -> str:
        """List of the runs that wait for their turn on a thread; empty lists do not exist."""
        return f"{self.prefix}:waiting:{key}"

    def taken(self, worker: str) -> str:
        """What a worker's last take gave it, with its nonce; TTL: one lease."""
        return f"{self.prefix}:taken:{worker}"

    def open(self, facet: str) -> str:
        """Sorted set of the open runs of a facet by when they were created (ms). Permanent."""
        return f"{self.prefix}:open:{facet}"

    def over(self, facet: str) -> str:
        """Sorted set of the names of a facet's lists of ended runs; TTL: as the last of these.

        `<name>:<facet>` instead of a facet names such a list.
        """
        return f"{self.prefix}:over:{facet}"

    @property
    def causes(self) -> str:
        """Sorted set of causes of failures by when their last run is gone (ms); TTL: as that."""
        return f"{self.prefix}:causes"

    def cause(self, digest: str) -> str:
        """Hash of a cause of failures: what failed, where, how often, the last run; TTL: its."""
        return f"{self.prefix}:cause:{digest}"

    def cached(self, namespace: str) -> str:
        """Hash of a cached task's values; those with a TTL have keys of their own below it.

        Permanent, until the cache is cleared; the namespace is a digest.
        """
        return f"{self.prefix}:cache:{namespace}"

    def graph(self, rest: str) -> str:
        """What an attempt stores of a LangGraph graph: its thread, a space, or the order of one.

        `penstock.langgraph` has the rest of the names. Permanent.
        """
        return f"{self.prefix}:graph:{rest}"

    @property
    def leases(self) -> str:
        """Sorted set of running runs by when their lease ends (ms). Permanent."""
        return f"{self.prefix}:leases"

    @property
    def ready(self) -> str:
        """Sorted set of queued runs by when their ticket was last seen (ms). Permanent."""
        return f"{self.prefix}:ready"

    @property
    def timers(self) -> str:
        """Sorted set of suspended runs by when they go on by themselves (ms). Permanent."""
        return f"{self.prefix}:timers"

    @property
    def entrypoints(self) -> str:
        """Sorted set of entrypoint names by how long live workers announce them (ms). Permanent."""
        return f"{self.prefix}:entrypoints"

    @property
    def feed(self) -> str:
        """Stream of the changes of runs, as many as the setting `feed` says. Permanent."""
        return f"{self.prefix}:feed"

    def entrypoint(self, name: str) -> str:
        """What workers say of an entrypoint or a graph: schemas and drawing; TTL: 7 days."""
        return f"{self.prefix}:entrypoint:{name}"

    @property
    def hooks(self) -> str:
        """Stream of the changes of runs that no worker has made webhooks' deliveries of yet."""
        return f"{self.prefix}:hooks"

    @property
    def hooks_reader(self) -> str:
        """Text: the worker that reads `hooks`, as long as it does; TTL: 5 seconds."""
        return f"{self.prefix}:hooks:reader"

    @property
    def hooks_unread(self) -> str:
        """Text: since when readers leave changes in `hooks` (ms); TTL: a minute after the last."""
        return f"{self.prefix}:hooks:unread"

    @property
    def hooks_lost(self) -> str:
        """Text: how many changes were lost, as 100,000 waited or none was read; TTL: 30 days."""
        return f"{self.prefix}:hooks:lost"

    @property
    def webhooks(self) -> str:
        """Hash of webhooks: id -> URL, events, filters and secrets, sealed. Permanent."""
        return f"{self.prefix}:webhooks"

    @property
    def webhooks_due(self) -> str:
        """Sorted set of webhooks by when their next delivery is due (ms). Permanent."""
        return f"{self.prefix}:webhooks:due"

    def webhook(self, webhook_id: str) -> str:
        """Hash of a webhook's state: whether it is disabled, since when it fails, counts.

        `<id>:waiting` is the hash of its deliveries that wait, `<id>:due` the sorted set of these
        by when they are sent (ms), `<id>:sending` by when a claim ends, `<id>:log` the list of its
        last tries. Permanent, until it is deleted. `~` counts for all URLs that runs were given
        themselves, whose ids begin with it; TTL of all their keys: 5 days.
        """
        return f"{self.prefix}:webhook:{webhook_id}"

    def app(self, digest: str) -> str:
        """Set of what a worker's app can execute: `e:<entrypoint>`, `t:<task>`; TTL: 15 seconds.

        It has an empty name, too, as there are no empty sets.
        """
        return f"{self.prefix}:app:{digest}"

    def parked(self, queue: str) -> str:
        """Set of the names that parked runs of a queue need: no worker that met them had these.

        With the name added, the sorted set of those runs, by when they were created (ms).
        """
        return f"{self.prefix}:parked:{queue}"

    @property
    def control(self) -> str:
        """Channel that asks runs at work to stop, or says that something came: `news <run id>`."""
        return f"{self.prefix}:control{self._of_database()}"

    def presence(self, worker: str) -> str:
        """Channel that a worker listens to as long as it lives; nobody speaks there."""
        return f"{self.prefix}:presence{self._of_database()}:{worker}"

    def job(self, run_id: str) -> str:
        """RQ's hash of the job that is a run's ticket."""
        return f"{self.rq}:job:{World(self.prefix).job(run_id)}"

    def queue(self, name: str) -> str:
        """RQ's list of the tickets of a queue."""
        return f"{self.rq}:queue:{World(self.prefix).queue(name)}"

    @property
    def queues(self) -> str:
        """RQ's set of the keys of its queues."""
        return f"{self.rq}:queues"

    def popped(self, queue: str) -> str:
        """RQ's list of the tickets popped off a queue whose jobs have not begun."""
        return f"{self.queue(queue)}:intermediate"

    def workers_of(self, queue: str) -> str:
        """RQ's set of the keys of the workers of a queue."""
        return f"{self.rq}:workers:{World(self.prefix).queue(queue)}"

    @property
    def workers(self) -> str:
        """RQ's set of the keys of live workers."""
        return f"{self.rq}:workers"

    def worker(self, name: str) -> str:
        """RQ's hash of a worker."""
        return f"{self.rq}:worker:{name}"

    def executions(self, worker: str) -> str:
        """RQ's set of what a worker is executing, `<job id>:<execution id>`."""
        return f"{self.rq}:worker:{worker}:executions"

    @property
    def suspended(self) -> str:
        """RQ's flag that all workers pause."""
        return f"{self.rq}:suspended"


def first_arguments(keys: Keys) -> tuple[str, str]:
    """Return what each script is given first: see `names.lua`."""
    return f"{keys.prefix}@{keys.database}", keys.rq


def thread_key(thread_id: str) -> str:
    """Return the part of key names that stands for a thread id, whatever characters it has."""
    return hashlib.blake2b(thread_bytes(thread_id), digest_size=16).hexdigest()


def thread_bytes(thread_id: str) -> bytes:
    """Return a thread id as it is stored, in which half of a surrogate pair may stand."""
    return thread_id.encode("utf-8", "surrogatepass")


def thread_text(stored: bytes) -> str:
    """Read a thread id that is stored."""
    return stored.decode("utf-8", "surrogatepass")
