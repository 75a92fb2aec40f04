"""The base of the queries and bodies of this API: a field that is not known is ignored."""

from __future__ import annotations

__all__ = ["NoFields", "RequestModel"]

from pydantic import BaseModel, ConfigDict


class RequestModel(BaseModel):
    """A query or a body; clients of other releases send fields that this one does not know."""

    model_config = ConfigDict(extra="ignore")


class NoFields(RequestModel):
    """A query or a body of which nothing is read."""
