"""What an answer has to be: checked where it is given, and where it is used."""

from __future__ import annotations

__all__ = ["Response", "check_answers"]

from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, cast

from pydantic import PydanticSchemaGenerationError, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import to_jsonable_python

from penstock.publisher.errors import CodecError
from penstock.publisher.registry import registered
from penstock.runtime.answer import type_of
from penstock.runtime.errors import AnswerError, ConfigurationError
from penstock.runtime.interrupt import Interrupt
from penstock.runtime.settled import Settled

if TYPE_CHECKING:
    from penstock.runtime.attempt import Attempt

TAKEN: Final = "!!"
"""First characters of the checkpoints that hold answers as the code has got them."""


class Response:
    """The `response_schema` of a question."""

    def __init__(self, given: Any) -> None:
        self._given = given
        registered.offer(getattr(given, "_type", given))
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
    def _settled(self) -> Settled:
        return Settled(self._adapter)

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
        """Return an answer as what the type makes of it; one that fits a JSON schema as it is.

        Raises:
            ValidationError: it does not fit.
        """
        if _json_schema(self._given) is None:
            return self._settled.validate(answer)
        self._adapter.validate_python(_plain(answer))
        return answer

    def take(self, attempt: Attempt, name: str, answer: Any) -> Any:
        """Return the answer to a question as `accept` made it, or refused it, the first time.

        Raises:
            ValidationError: it does not fit, or did not when it came.
        """
        if _json_schema(self._given) is not None:
            return self.accept(answer)
        field, codec = f"{TAKEN}{name}", attempt.codec.at("taken", name)
        kept = attempt.journal.recorded(field)
        if kept is None:
            found, error = self._try(answer)
            with suppress(CodecError):  # then each attempt has to do it
                attempt.journal.keep(field, codec.dumps([found, error]))
        else:
            found, error = codec.loads(kept)
        if error is not None:
            raise error
        return found

    def _try(self, answer: Any) -> tuple[Any, ValidationError | None]:
        try:
            return self.accept(answer), None
        except ValidationError as error:
            return None, error


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
            TypeAdapter(type_of(question.response_schema)).validate_python(_plain(answer))
        except ValidationError as error:
            raise AnswerError(
                f"the answer to interrupt {question.id} is refused, the run waits on: {error}"
            ) from error


def _json_schema(given: Any) -> Mapping[str, Any] | None:
    return dict(cast("Mapping[str, Any]", given)) if isinstance(given, Mapping) else None


def _plain(answer: Any) -> Any:
    """Return an answer as JSON has it: models as objects, dates as text."""
    return to_jsonable_python(
        answer,
        by_alias=True,
        bytes_mode="base64",
        inf_nan_mode="constants",
        serialize_unknown=True,
    )
