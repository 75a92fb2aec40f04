"""Running the input of a run again, as a plan without IO."""

from __future__ import annotations

__all__ = ["Past", "read_past", "rerun", "write_rerun"]

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.runtime.errors import ConfigurationError, RunNotFoundError
from penstock.runtime.journal.run_input import ACCEPTED, ACCEPTED_CONTEXT
from penstock.runtime.redis.calls import Creation
from penstock.runtime.redis.plans.creation import checked_run_id
from penstock.runtime.redis.plans.fork_run import Move
from penstock.runtime.redis.plans.requests import Plan, Reads, RequestPlans
from penstock.runtime.redis.run_record import texts, whole
from penstock.runtime.settings import Settings
from penstock.runtime.types.interrupt import NOTHING


@dataclass(frozen=True, slots=True)
class Past:
    """A run as it is stored: its whole hash, and what it was given."""

    run_id: str
    fields: Mapping[str, str]
    recorded: Mapping[str, bytes]


def rerun(
    plans: RequestPlans, settings: Settings, run_id: str, given: Any = NOTHING
) -> Plan[tuple[str, str]]:
    """Create a run of the same input, or of the one that is given; returns its and its thread's id.

    Raises:
        RunNotFoundError: there is no such run.
        ConfigurationError: it executes a step of another one.
        CodecError: the input that is given cannot be written.
    """
    past = yield from read_past(plans, run_id)
    creation = write_rerun(plans, settings, past, None)
    if given is not NOTHING:
        creation = _with_input(plans, creation, given)
    return (yield from plans.create(creation))


def _with_input(plans: RequestPlans, creation: Creation, given: Any) -> Creation:
    """Replace the input of a new run: the first attempt validates it."""
    codec = plans.codec.at("run", creation.run_id, "input")
    what = f"input of entrypoint {creation.fields['entrypoint']!r}"
    recorded = {name: text for name, text in creation.recorded.items() if name != ACCEPTED}
    return dataclasses.replace(creation, input=codec.dumps(given, what), recorded=recorded)


def read_past(plans: RequestPlans, run_id: str) -> Plan[Past]:
    """Read a run that is to be run again.

    Raises:
        RunNotFoundError: there is no such run.
        ConfigurationError: it executes a step of another one.
    """
    names = ("input", "context", ACCEPTED, ACCEPTED_CONTEXT)
    record, found = yield Reads(
        [
            plans.record(run_id),
            ("HMGET", plans.keys.checkpoints(run_id), *names),
        ]
    )
    fields = whole(run_id, texts(record))
    recorded = {name: text for name, text in zip(names, found, strict=True) if text is not None}
    if "status" not in fields or ("input" not in recorded and "home" not in fields):
        raise RunNotFoundError(
            run_id, f"no run {run_id!r} to run again: it never existed, or its retention is over."
        )
    if "home" in fields:
        raise ConfigurationError(
            f"run {run_id!r} executes a step of run {fields['home']!r}: run that one again."
        )
    return Past(run_id, fields, recorded)


def write_rerun(
    plans: RequestPlans, settings: Settings, past: Past, new_id: str | None
) -> Creation:
    """Write down a run of the same input, context, config, tags, queue and thread.

    A run that was alone on a thread of its own gets a new one.
    """
    move = Move(plans.codec, past.run_id, checked_run_id(new_id), past.recorded)
    is_own = past.fields["own_thread"] == "1"
    thread_id = None if is_own else past.fields["thread"]
    creation = move.creation(past.fields, settings, thread_id)
    return dataclasses.replace(creation, fields={**creation.fields, "rerun_of": past.run_id})
