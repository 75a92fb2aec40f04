"""The queries and bodies of the routes of the store."""

from __future__ import annotations

__all__ = ["DeleteItem", "FindNamespaces", "GetItem", "PutItem", "SearchItems"]

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from penstock.gateway.compatible.request_model import RequestModel
from penstock.gateway.compatible.thread_bodies import LONGEST

Text = Annotated[str, Field(min_length=1)]


def _divided(given: Any) -> Any:
    return tuple(given.split(".")) if isinstance(given, str) else given


Labels = Annotated[
    tuple[str, ...],
    BeforeValidator(_divided),
    WithJsonSchema({"type": "string", "minLength": 1}),
]


class GetItem(RequestModel):
    """Which item is shown."""

    namespace: Labels
    """Its labels, with dots between them."""
    key: Text
    refresh_ttl: bool | None = None
    """Whether its time begins anew; by default it does."""


class DeleteItem(RequestModel):
    """Which item is deleted."""

    namespace: list[str]
    key: Text


class PutItem(RequestModel):
    """An item to be kept."""

    namespace: list[str]
    key: Text
    value: dict[str, Any]
    index: Literal[False] | list[str] | None = None
    ttl: float | None = Field(None, gt=0, le=LONGEST, allow_inf_nan=False)
    """Minutes."""


class SearchItems(RequestModel):
    """Which items are looked for."""

    namespace_prefix: list[str] = Field(default_factory=list[str])
    filter: dict[str, Any] | None = None
    limit: int = Field(10, ge=1, le=1000)
    offset: int = Field(0, ge=0)
    query: str | None = None
    refresh_ttl: bool | None = None


class FindNamespaces(RequestModel):
    """Which namespaces are listed."""

    prefix: list[str] | None = None
    suffix: list[str] | None = None
    max_depth: int | None = Field(None, ge=1)
    limit: int = Field(100, ge=1, le=1000)
    offset: int = Field(0, ge=0)
