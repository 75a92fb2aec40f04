"""What runs were given, read together."""

from __future__ import annotations

__all__ = ["read_inputs"]

from collections.abc import Sequence
from typing import Any

from penstock.runtime.redis.plans.requests import Plan, Reads, RequestPlans


def read_inputs(plans: RequestPlans, run_ids: Sequence[str]) -> Plan[list[Any]]:
    """Read the inputs of runs; None where none is kept."""
    if not run_ids:
        return []
    replies = yield Reads([("HGET", plans.keys.checkpoints(each), "input") for each in run_ids])
    return [
        None if text is None else plans.codec.at("run", run_id, "input").loads(text)
        for run_id, text in zip(run_ids, replies, strict=True)
    ]
