"""The assistant of a run."""

from __future__ import annotations

__all__ = ["RunAssistant", "find_assistant"]

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from penstock.gateway.auth.filters import Filter
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
    user: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What `configurable` says of the user who asks for the run."""


async def find_assistant(
    client: AsyncClient, named: str, filter: Filter = MappingProxyType({})
) -> RunAssistant:
    """Find an assistant that a filter admits by its id, or by the name of an entrypoint.

    Raises:
        RequestError: there is none.
    """
    records = AssistantRecords(client.plans)
    name = await client.do(records.entrypoint_of(named))
    if name is not None:
        return RunAssistant(name, assistant_of(name))
    own = await client.do(records.made(named))
    if own is not None and own.is_for(filter):
        given = own.settings
        return RunAssistant(
            given.graph_id, named, given.config, given.context or None, given.metadata, is_own=True
        )
    known = json.dumps(await client.do(read_entrypoints(client.plans)))[1:-1]
    raise RequestError(422, f"no assistant or graph {named!r}; workers have {known or 'none'}.")
