"""Updates of the states of graphs' threads, which workers make, as plans without IO."""

from __future__ import annotations

__all__ = ["PATIENCE", "call", "no_worker", "refused", "requestion"]

import dataclasses
from typing import Any, Final

from penstock.runtime.errors import (
    InvalidUpdateError,
    NoWorkerError,
    PenstockError,
    RunFailedError,
)
from penstock.runtime.journal.graph_host import GraphHost
from penstock.runtime.redis.plans.creation import Wanted, create
from penstock.runtime.redis.plans.requests import Plan, RequestPlans
from penstock.runtime.settings import Settings
from penstock.runtime.types.graph_update import GraphUpdate

PATIENCE: Final = 10.0
"""Seconds that a client waits for a worker to make an update."""

_KEPT: Final = 60_000
"""Milliseconds that the run which makes it is kept."""


def call(
    plans: RequestPlans, settings: Settings, host: GraphHost, update: GraphUpdate
) -> Plan[str]:
    """Have a worker make an update; returns the id of the run that it does so in."""
    queue = host.queue or settings.queue
    creation = create(Wanted(host.entrypoint, update, queue=queue), settings, plans.codec)
    fields = {**creation.fields, "retention": _KEPT, "retention_failed": _KEPT, "feed": 0}
    fields["op"] = "update"
    run_id, _ = yield from plans.create(dataclasses.replace(creation, fields=fields))
    return run_id


def no_worker(host: GraphHost, update: GraphUpdate) -> NoWorkerError:
    """Return what a client raises that has waited in vain."""
    return NoWorkerError(
        f"thread {update.thread_id!r} was not updated: no worker of queue {host.queue!r} that has "
        f"the graph {host.entrypoint!r} has come to it in {PATIENCE:g} s. Start one, or wait until "
        "its workers have time."
    )


def refused(update: GraphUpdate, error: RunFailedError) -> PenstockError:
    """Return why an update was not made, of the error of its run."""
    cause, reason = error.__cause__, str(error).partition(" failed: ")[2]
    if isinstance(cause, PenstockError):
        return cause
    return InvalidUpdateError(f"thread {update.thread_id!r} was not updated: {reason}")


def requestion(plans: RequestPlans, thread_id: str, name: str, value: Any) -> Plan[None]:
    """Let the run that waits for answers on a thread ask one thing, in the place of all others."""
    run_id = yield from plans.last_run(thread_id)
    if run_id is None:
        return
    codec = plans.codec.at("run", run_id, "question", name)
    text = codec.dumps(value, f"question {name}")
    record = f'{{"step":"","number":0,"value":{text}}}'
    yield plans.calls.requestion(run_id, name, text, record)
