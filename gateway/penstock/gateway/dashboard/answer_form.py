"""The form in which a question is answered."""

from __future__ import annotations

__all__ = ["ROOT", "QuestionForm", "form_of"]

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from penstock.gateway.dashboard.schema_form import Field, fields_of
from penstock.runtime.types.interrupt import Interrupt

ROOT: Final = "answer"
"""The name of the input of an answer that is no object."""


@dataclass(frozen=True, slots=True)
class QuestionForm:
    """A question, and the inputs for its answer."""

    question: Interrupt
    fields: Sequence[Field]


def form_of(question: Interrupt, *, has_values: bool) -> QuestionForm:
    """Return the form of a question; without its words and inputs for who may not see values."""
    if has_values:
        return QuestionForm(question, fields_of(question.response_schema, ROOT))
    return QuestionForm(replace(question, value=None, response_schema=None), ())
