"""The form for the input of an entrypoint, as its worker has described it."""

from __future__ import annotations

__all__ = ["INPUT", "read_value", "schema_of"]

from collections.abc import Mapping
from typing import Any, Final

from penstock.gateway.dashboard.schema_form import Schema, check_value, read_form
from penstock.runtime.types.description import Description

INPUT: Final = "input"
"""The name of the input of a run that takes no object, and what the others begin with."""


def schema_of(description: Description, name: str = INPUT) -> Schema | None:
    """Return the schema of what a form is for; graphs take any part of their state."""
    schema: Schema | None = description.schemas.get(name)
    return {**schema, "required": ()} if schema and description.is_graph else schema


def read_value(description: Description, form: Mapping[str, str], name: str = INPUT) -> Any:
    """Read what was written into a form; that of a graph is not checked, as it takes more.

    Raises:
        FormError: fields of it cannot be used.
    """
    schema = schema_of(description, name)
    value = read_form(schema, form, name)
    if not description.is_graph:
        check_value(schema, value, name)
    return value
