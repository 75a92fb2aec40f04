"""The assistant that a run is asked of: an entrypoint, with what its settings add."""

from __future__ import annotations

__all__ = ["RunAssistant", "find_assistant"]

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.gateway.compatible.assistant_records import AssistantRecords
from penstock.gateway.compatible.run_view import assistant_of
from penstock.gateway.errors import RequestError
from penstock.runtime.client.async_client import AsyncClient
from penstock.runtime.diagnostics.entrypoints import read_entrypoints


@dataclass(frozen=True, slots=True)
class RunAssistant:
    """What a run is made of, beside what its request gives."""

    entrypoint: str
    assistant_id: str
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    context: Any = None
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    is_own: bool = False
    """Whether somebody has made it; else it stands for an entrypoint."""


async def find_assistant(client: AsyncClient, named: str) -> RunAssistant:
    """Find an assistant by its id, or by the name of an entrypoint.

    Raises:
        RequestError: there is none.
    """
    names = await client.do(read_entrypoints(client.plans))
    for name in names:
        if named in (name, assistant_of(name)):
            return RunAssistant(name, assistant_of(name))
    own = await client.do(AssistantRecords(client.plans).made(named))
    if own is not None:
        told = own.settings
        return RunAssistant(
            told.graph_id, named, told.config, told.context or None, told.metadata, is_own=True
        )
    raise RequestError(
        422, f"no assistant or graph {named!r}; workers have {json.dumps(names)[1:-1] or 'none'}."
    )
