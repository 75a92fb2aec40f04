"""The recorded values of a run: its input, and what its steps returned."""

from __future__ import annotations

__all__ = ["read_input", "read_values"]

from collections.abc import Mapping, Sequence
from typing import Any, Final

from penstock.runtime.redis.plans.requests import Plan, RequestPlans
from penstock.runtime.types.run import Run

PAGE: Final = 200
"""Outcomes read in one request."""


def read_input(plans: RequestPlans, run: Run) -> Plan[Any]:
    """Read what a run was given.

    Raises:
        EncryptionError: it is encrypted under a key that is not set here.
    """
    text = yield ("HGET", plans.keys.checkpoints(run.run_id), "input")
    return None if text is None else plans.codec.at("run", run.run_id, "input").loads(text)


def read_values(plans: RequestPlans, run: Run, step_ids: Sequence[str]) -> Plan[dict[str, Any]]:
    """Read what steps returned, by their ids; those that have no recorded value are left out.

    Raises:
        EncryptionError: one is encrypted under a key that is not set here.
    """
    codec = plans.codec.at("run", run.run_id)
    found: dict[str, Any] = {}
    for at in range(0, len(step_ids), PAGE):
        names = step_ids[at : at + PAGE]
        texts = yield ("HMGET", plans.keys.checkpoints(run.run_id), *names)
        for name, text in zip(names, texts, strict=True):
            outcome: Mapping[str, Any] = {} if not text else codec.outcome(text, name)
            if "value" in outcome:
                found[name] = outcome["value"]
    return found
