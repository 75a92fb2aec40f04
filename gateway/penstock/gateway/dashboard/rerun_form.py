"""The form in which the input of a run is changed before it is executed once more."""

from __future__ import annotations

__all__ = ["EDITED", "RerunForm", "read_edited", "read_rerun_form"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from penstock.gateway.dashboard.schema_form import (
    INPUT,
    Field,
    FormError,
    Schema,
    check_value,
    fields_of,
    read_form,
    texts_of,
)
from penstock.gateway.dashboard.visit import Visit
from penstock.runtime.diagnostics.descriptions import read_descriptions
from penstock.runtime.diagnostics.plain import plain
from penstock.runtime.diagnostics.values import read_input
from penstock.runtime.redis.plans.requests import Plan, RequestPlans
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
    schema = await visit.client.do(_schema(visit.client.plans, run.entrypoint))
    if EDITED in visit.form:
        kind, given = visit.form[EDITED], visit.form
    else:
        value = await visit.client.do(read_input(visit.client.plans, run))
        kind = FIELDS if _fits(schema, value) else "json"
        given = texts_of(fields_of(schema if kind == FIELDS else None, INPUT), value)
    return RerunForm(kind, fields_of(schema if kind == FIELDS else None, INPUT), given)


async def read_edited(visit: Visit, run: Run) -> Any:
    """Read the input that was sent for another run.

    Raises:
        FormError: fields of it cannot be used.
        RequestError: this visitor may not see values.
    """
    visit.check_values()
    schema = await visit.client.do(_schema(visit.client.plans, run.entrypoint))
    schema = schema if visit.form[EDITED] == FIELDS else None
    value = read_form(schema, visit.form, INPUT)
    check_value(schema, value, INPUT)
    return value


def _schema(plans: RequestPlans, entrypoint: str) -> Plan[Schema | None]:
    (description,) = yield from read_descriptions(plans, [entrypoint])
    return description.schemas.get(INPUT)


def _fits(schema: Schema | None, value: Any) -> bool:
    """Tell whether the fields of a schema have all of a value."""
    try:
        return bool(
            read_form(schema, texts_of(fields_of(schema, INPUT), value), INPUT) == plain(value)
        )
    except FormError:
        return False
