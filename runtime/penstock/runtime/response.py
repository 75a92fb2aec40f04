"""What an answer has to be: checked where it is given, and where it is used."""

from __future__ import annotations

__all__ = ["Response", "check_answers"]

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, cast

from pydantic import PydanticSchemaGenerationError, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from penstock.runtime.answer import type_of
from penstock.runtime.errors import AnswerError, ConfigurationError
from penstock.runtime.interrupt import Interrupt


class Response:
    """The `response_schema` of a question."""

    def __init__(self, given: Any) -> None:
        self._given = given
        self._adapter: TypeAdapter[Any]
        if isinstance(given, TypeAdapter):
            self._adapter = given
            return
        try:
            self._adapter = TypeAdapter(
                type_of(schema) if (schema := _json_schema(given)) is not None else given
            )
        except (PydanticSchemaGenerationError, PydanticUserError) as error:
            raise ConfigurationError(
                f"response_schema must be a type, a TypeAdapter or a JSON schema: {error}"
            ) from error

    @cached_property
    def schema(self) -> Mapping[str, Any]:
        """The JSON schema; it allows anything where the type has none."""
        if (schema := _json_schema(self._given)) is not None:
            return schema
        try:
            return self._adapter.json_schema()
        except PydanticUserError:
            return {}

    def accept(self, answer: Any) -> Any:
        """Return an answer as what the type makes of it.

        Raises:
            ValidationError: it does not fit.
        """
        return self._adapter.validate_python(answer)


def check_answers(pending: Iterable[Interrupt], answers: Mapping[str, Any]) -> None:
    """Check answers against the schemas of their questions, as far as JSON schemas tell.

    Raises:
        AnswerError: one does not fit; has pydantic's detail.
    """
    for question in pending:
        if question.response_schema is None or question.id not in answers:
            continue
        try:
            TypeAdapter(type_of(question.response_schema)).validate_python(answers[question.id])
        except ValidationError as error:
            raise AnswerError(
                f"the answer to interrupt {question.id} is refused, the run waits on: {error}"
            ) from error


def _json_schema(given: Any) -> Mapping[str, Any] | None:
    return cast("Mapping[str, Any]", given) if isinstance(given, Mapping) else None
