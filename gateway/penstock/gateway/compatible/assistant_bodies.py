"""The queries and bodies of the routes about assistants."""

from __future__ import annotations

__all__ = [
    "ChooseVersion",
    "CountAssistants",
    "DeleteQuery",
    "GraphQuery",
    "NewAssistant",
    "PatchAssistant",
    "SearchAssistants",
    "SearchVersions",
    "SubgraphsQuery",
]

from typing import Annotated, Any, Literal

from pydantic import Field

from penstock.gateway.compatible.request_model import (
    Config,
    PathId,
    RequestModel,
    SelectedFields,
    SoughtPart,
)

Text = Annotated[str, Field(min_length=1, max_length=255)]


class PatchAssistant(RequestModel):
    """What is to be another in the next version; metadata is merged."""

    graph_id: Text | None = None
    config: Config | None = None
    context: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    name: Text | None = None
    description: str | None = None


class NewAssistant(PatchAssistant):
    """An assistant to be made."""

    assistant_id: Annotated[PathId, Field(max_length=255)] | None = None
    if_exists: Literal["raise", "do_nothing"] | None = None


class CountAssistants(RequestModel):
    """Which assistants are counted."""

    graph_id: str | None = None
    name: str | None = None
    """A part of it."""
    metadata: SoughtPart | None = None


class SearchAssistants(CountAssistants):
    """Which assistants are looked for, and what is shown of them."""

    limit: int = Field(10, ge=1, le=1000)
    offset: int = Field(0, ge=0)
    sort_by: Literal["assistant_id", "graph_id", "name", "created_at", "updated_at"] | None = None
    sort_order: Literal["asc", "desc"] | None = None
    select: SelectedFields | None = None


class SearchVersions(RequestModel):
    """Which versions are listed."""

    metadata: SoughtPart | None = None
    limit: int = Field(10, ge=1, le=1000)
    offset: int = Field(0, ge=0)


class ChooseVersion(RequestModel):
    """The version that is to count."""

    version: int = Field(ge=1)


class DeleteQuery(RequestModel):
    """What is deleted with an assistant."""

    delete_threads: bool = False
    """Its threads."""


class GraphQuery(RequestModel):
    """What is drawn."""

    xray: bool | int = False
    """The graphs in a graph, too."""


class SubgraphsQuery(RequestModel):
    """Which graphs in a graph are listed."""

    recurse: bool = False
    """Those in these, too."""
