"""The form in which the input of a run is changed before it is executed once more."""

from __future__ import annotations

__all__ = ["EDITED", "RerunForm", "read_edited", "read_rerun_form"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from penstock.gateway.dashboard.input_form import INPUT, read_value, schema_of
from penstock.gateway.dashboard.schema_form import (
    Field,
    FormError,
    Schema,
    fields_of,
    read_form,
    texts_of,
)
from penstock.gateway.dashboard.visit import Visit
from penstock.runtime.diagnostics.descriptions import read_descriptions
from penstock.runtime.diagnostics.plain import plain
from penstock.runtime.diagnostics.values import read_input
from penstock.runtime.types.description import Description
from penstock.runtime.types.run import Run

EDITED: Final = "edited"
"""The field that says how the form is made: of the schema of the input, or of none."""

FIELDS: Final = "fields"


@dataclass(frozen=True, slots=True)
class RerunForm:
    """Inputs for the input of a run, and what they have."""

    kind: str
    """`fields`, one for each member of the input, or `json`."""
    fields: Sequence[Field]
    given: Mapping[str, str]


async def read_rerun_form(visit: Visit, run: Run) -> RerunForm | None:
    """Read the form of a run, if it is asked for, with the input of the run or what was sent."""
    if not visit.sees_values or not ("again" in visit.query or EDITED in visit.form):
        return None
    schema = schema_of(await _described(visit, run))
    if EDITED in visit.form:
        fields = fields_of(schema if visit.form[EDITED] == FIELDS else None, INPUT)
        return RerunForm(visit.form[EDITED], fields, visit.form)
    value = await visit.client.do(read_input(visit.client.plans, run))
    kind = FIELDS if _fits(schema, value) else "json"
    fields = fields_of(schema if kind == FIELDS else None, INPUT)
    return RerunForm(kind, fields, texts_of(fields, value))


async def read_edited(visit: Visit, run: Run) -> Any:
    """Read the input that was sent for another run.

    Raises:
        FormError: fields of it cannot be used.
        RequestError: this visitor may not see values.
    """
    visit.check_values()
    if visit.form[EDITED] != FIELDS:
        return read_form(None, visit.form, INPUT)
    return read_value(await _described(visit, run), visit.form)


async def _described(visit: Visit, run: Run) -> Description:
    found = await visit.client.do(read_descriptions(visit.client.plans, [run.entrypoint]))
    return found[0]


def _fits(schema: Schema | None, value: Any) -> bool:
    """Tell whether the fields of a schema have all of a value."""
    texts = texts_of(fields_of(schema, INPUT), value)
    try:
        return bool(read_form(schema, texts, INPUT) == plain(value))
    except FormError:
        return False
