"""Changing what a failed run has recorded, as a plan without IO."""

from __future__ import annotations

__all__ = ["amend_run"]

from collections.abc import Iterable, Sequence
from typing import Final

from penstock.runtime.errors import ConfigurationError, ResumeError
from penstock.runtime.journal.checkpoint_names import ACCEPTED_STEP, PATCH, TIMER
from penstock.runtime.journal.remote_call import ARGUMENTS
from penstock.runtime.journal.step_id import is_step
from penstock.runtime.redis.plans.requests import (
    Plan,
    Reads,
    RequestPlans,
    found_fields,
    resumed_event,
)
from penstock.runtime.types.run import RunStatus

SHOWN: Final = 20
"""Steps that an error names."""

SIGNS: Final = ("", "@", TIMER, ARGUMENTS, PATCH, "!^", ACCEPTED_STEP)
"""What the names of checkpoints begin with that belong to a step, before the step's id."""


def amend_run(
    plans: RequestPlans,
    run_id: str,
    accept: Sequence[str],
    forget: Sequence[str],
    *,
    epoch: str | None = None,
) -> Plan[None]:
    """Let a failed run go on, with some records that stand and without some others.

    With `epoch`, only after this attempt.

    Raises:
        RunNotFoundError: there is no such run.
        ConfigurationError: it has recorded no such step.
        ResumeError: it has not failed, or has gone on meanwhile.
    """
    record, recorded = yield Reads(
        [plans.record(run_id), ("HKEYS", plans.keys.checkpoints(run_id))]
    )
    fields = found_fields(run_id, record)
    if (status := fields["status"]) != RunStatus.FAILED:
        raise ResumeError(
            f"run {run_id!r} is {status}: what it has recorded can be changed once it has failed."
        )
    if epoch not in (None, fields.get("epoch", "")):
        raise _refusal(run_id, "moved")
    names: list[str] = [name.decode() for name in recorded]
    _check(run_id, names, [*accept, *forget])
    kept = {f"{ACCEPTED_STEP}{step_id}": "1" for step_id in accept}
    dropped = [name for step_id in forget for name in _of_step(names, step_id)]
    told = {"interrupts": [], "accepted": [*accept], "forgotten": [*forget]}
    event = resumed_event(run_id, fields, told)
    call = plans.calls.amend(run_id, event, fields.get("epoch", ""), kept, dropped)
    word = plans.calls.word((yield call))
    if word != "queued":
        raise _refusal(run_id, word)


def _refusal(run_id: str, word: str) -> ResumeError:
    said = "it has gone on meanwhile" if word == "moved" else f"it is {word or 'gone'}"
    return ResumeError(f"run {run_id!r} cannot be resumed: {said}.")


def _check(run_id: str, names: Iterable[str], step_ids: Iterable[str]) -> None:
    recorded = sorted(filter(is_step, names))
    for step_id in step_ids:
        if not any(each == step_id or each.startswith(f"{step_id}/") for each in recorded):
            shown = ", ".join(map(repr, recorded[:SHOWN])) or "none"
            more = f" and {len(recorded) - SHOWN} more" if len(recorded) > SHOWN else ""
            raise ConfigurationError(
                f"run {run_id!r} has recorded no step {step_id!r}; it has recorded {shown}{more}."
            )


def _of_step(names: Iterable[str], step_id: str) -> list[str]:
    """Return the checkpoints of a step, and of all that was called in it."""
    own = {f"{sign}{step_id}" for sign in SIGNS}
    below = tuple(f"{stem}{sign}" for stem in own for sign in "/#%")
    return [name for name in names if name in own or name.startswith(below)]
