"""The id of the task that the body of a run is."""

from __future__ import annotations

__all__ = ["body_id"]

import uuid
from typing import Final

_RUNS: Final = uuid.UUID("8f3e0c34-6a0e-5b0a-9a44-6f3a2a5b7c10")
"""The namespace of the ids of bodies whose runs have ids that are no UUIDs."""


def body_id(run_id: str) -> str:
    """Return the id by which clients know the body of a run in streams and states."""
    try:
        namespace = uuid.UUID(run_id)
    except ValueError:
        return str(uuid.uuid5(_RUNS, f"{run_id}\0body"))
    return str(uuid.uuid5(namespace, "body"))
