"""Answers beside the JSON schemas of their questions."""

from __future__ import annotations

__all__ = ["check_answers", "plain_answer"]

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from penstock.runtime.errors import AnswerError
from penstock.runtime.types.interrupt import Interrupt
from penstock.runtime.types.json_schema import type_of


def check_answers(pending: Iterable[Interrupt], answers: Mapping[str, Any]) -> None:
    """Check answers against the schemas of their questions, as far as JSON schemas tell.

    Raises:
        AnswerError: one does not fit; has pydantic's detail.
    """
    for question in pending:
        if question.response_schema is None or question.id not in answers:
            continue
        answer = answers[question.id]
        try:
            TypeAdapter(type_of(question.response_schema)).validate_python(plain_answer(answer))
        except ValidationError as error:
            raise AnswerError(
                f"the answer to interrupt {question.id} is refused, the run waits on: {error}"
            ) from error


def plain_answer(answer: Any) -> Any:
    """Return an answer as JSON: models as objects, dates as text."""
    return to_jsonable_python(
        answer,
        by_alias=True,
        bytes_mode="base64",
        inf_nan_mode="constants",
        serialize_unknown=True,
    )
