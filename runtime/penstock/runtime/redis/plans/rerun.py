"""Running the input of a run again, as a plan without IO."""

from __future__ import annotations

__all__ = ["rerun", "write_rerun"]

import dataclasses
from typing import Any, Final

from penstock.runtime.errors import ConfigurationError, RunNotFoundError
from penstock.runtime.journal.run_input import ACCEPTED, ACCEPTED_CONTEXT
from penstock.runtime.redis.calls import Creation
from penstock.runtime.redis.plans.creation import Wanted, checked_run_id, create
from penstock.runtime.redis.plans.fork_run import Move
from penstock.runtime.redis.plans.requests import Plan, RequestPlans, read_run, texts
from penstock.runtime.redis.run_record import whole
from penstock.runtime.settings import Settings

_KEPT: Final = ("retention", "retention_failed", "thread_retention", "history", "keep")
"""Fields of the run that the new one has, too."""


def rerun(plans: RequestPlans, settings: Settings, run_id: str) -> Plan[tuple[str, str]]:
    """Create a run of the same input; returns its id and its thread's.

    Raises:
        RunNotFoundError: there is no such run.
        ConfigurationError: it executes a step of another one.
    """
    creation = yield from write_rerun(plans, settings, run_id, None)
    return (yield from plans.create(creation))


def write_rerun(
    plans: RequestPlans, settings: Settings, run_id: str, new_id: str | None
) -> Plan[Creation]:
    """Write down a run of the same input, context, config, tags, queue and thread.

    A run that was alone on a thread of its own gets a new one.
    """
    fields = whole(run_id, texts((yield ("HGETALL", plans.keys.run(checked_run_id(run_id))))))
    names = ("input", "context", ACCEPTED, ACCEPTED_CONTEXT)
    found: list[Any] = yield ("HMGET", plans.keys.checkpoints(run_id), *names)
    recorded = {name: text for name, text in zip(names, found, strict=True) if text is not None}
    if "status" not in fields or ("input" not in recorded and "home" not in fields):
        raise RunNotFoundError(
            run_id, f"no run {run_id!r} to run again: it never existed, or its retention is over."
        )
    if "home" in fields:
        raise ConfigurationError(
            f"run {run_id!r} executes a step of run {fields['home']!r}: run that one again."
        )
    run, new = read_run(run_id, fields, plans.codec), checked_run_id(new_id)
    wanted = Wanted(
        run.entrypoint,
        None,
        thread_id=None if fields["own_thread"] == "1" else run.thread_id,
        run_id=new,
        queue=run.queue or settings.queue,
        config=(yield from plans.config(run_id)),
        durability=fields["durability"],
        tags=run.tags,
    )
    move = Move(plans.codec, run_id, new, recorded)
    creation = create(wanted, settings, plans.codec)
    kept = {name: fields[name] for name in _KEPT}
    return dataclasses.replace(
        creation,
        input=move.text(recorded["input"], "input"),
        context=move.text(recorded["context"], "context") if "context" in recorded else "",
        recorded=move.accepted(),
        fields={**creation.fields, **kept, "rerun_of": run_id},
    )
