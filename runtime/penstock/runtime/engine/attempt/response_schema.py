"""What an answer has to be: checked where it is given, and where it is used."""

from __future__ import annotations

__all__ = ["Response"]

from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any, cast

from pydantic import PydanticSchemaGenerationError, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from penstock.publisher.codec.codec import Codec
from penstock.publisher.codec.registry import registered
from penstock.publisher.errors import CodecError
from penstock.runtime.errors import ConfigurationError
from penstock.runtime.journal.checkpoint_names import TAKEN
from penstock.runtime.journal.journal import Journal
from penstock.runtime.types.answers import plain_answer
from penstock.runtime.types.json_schema import type_of
from penstock.runtime.types.validation import Settled


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
        self._adapter.validate_python(plain_answer(answer))
        return answer

    def take(self, journal: Journal, codec: Codec, name: str, answer: Any) -> Any:
        """Return the answer to a question as `accept` made it, or refused it, the first time.

        Raises:
            ValidationError: it does not fit, or did not when it came.
        """
        if _json_schema(self._given) is not None:
            return self.accept(answer)
        field, codec = f"{TAKEN}{name}", codec.at("taken", name)
        kept = journal.recorded(field)
        if kept is None:
            found, error = self._try(answer)
            with suppress(CodecError):  # then each attempt has to do it
                journal.keep(field, codec.dumps([found, error]))
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


def _json_schema(given: Any) -> Mapping[str, Any] | None:
    return dict(cast("Mapping[str, Any]", given)) if isinstance(given, Mapping) else None
