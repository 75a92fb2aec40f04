"""A run as LangGraph's clients know it: a leg, as JSON."""

from __future__ import annotations

__all__ = ["assistant_of", "read_run_views", "run_view"]

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

from penstock.gateway.auth.user import CONFIGURABLE
from penstock.gateway.compatible.legs import FoundLeg
from penstock.gateway.compatible.run_inputs import read_inputs
from penstock.runtime.client.async_client import AsyncClient
from penstock.runtime.types.interrupt import Command

_SYSTEM: Final = uuid.UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")
"""The namespace of the ids of assistants that stand for an entrypoint."""


def assistant_of(entrypoint: str) -> str:
    """Return the id of the assistant that stands for an entrypoint."""
    return str(uuid.uuid5(_SYSTEM, entrypoint))


def run_view(found: FoundLeg, input: Any = None) -> dict[str, Any]:
    """Return a leg as a run; `input` is what the run was given."""
    run, leg = found.run, found.leg
    request = leg.request
    kwargs: dict[str, Any] = {"config": _config(found), **request.get("kwargs", {})}
    if leg.number == 1:
        kwargs["input"] = None if isinstance(input, Command) else input
    assistant_id = request.get("assistant_id") or assistant_of(run.entrypoint)
    about = {"graph_id": run.entrypoint, "assistant_id": assistant_id, "created_by": "system"}
    return {
        "run_id": leg.leg_id,
        "thread_id": run.thread_id,
        "assistant_id": assistant_id,
        "created_at": leg.created_at.isoformat(),
        "updated_at": (leg.left_at or run.finished_at or _began(found)).isoformat(),
        "status": found.status,
        "metadata": {**_metadata(found), **about},
        "kwargs": kwargs,
        "multitask_strategy": request.get("multitask_strategy", "enqueue"),
    }


def _config(found: FoundLeg) -> dict[str, Any]:
    """Return the config of a run, without its user, of whom the workflow may be told secrets."""
    config = dict(found.legs.config)
    given: Mapping[str, Any] = config.get("configurable") or {}
    if not given.keys().isdisjoint(CONFIGURABLE):
        shown = {name: value for name, value in given.items() if name not in CONFIGURABLE}
        config["configurable"] = shown
    return config


def _began(found: FoundLeg) -> Any:
    started = found.run.started_at
    return max(started, found.leg.created_at) if started else found.leg.created_at


def _metadata(found: FoundLeg) -> Mapping[str, Any]:
    own = found.leg.request.get("metadata")
    return own if own is not None else dict(found.legs.config.get("metadata") or {})


async def read_run_views(client: AsyncClient, found: Sequence[FoundLeg]) -> list[dict[str, Any]]:
    """Return legs as runs, with the inputs that they were given."""
    inputs = await client.do(read_inputs(client.plans, [each.run.run_id for each in found]))
    return [run_view(each, given) for each, given in zip(found, inputs, strict=True)]
