"""The types of an entrypoint, as pydantic models and as JSON schemas."""

from __future__ import annotations

__all__ = ["Described"]

import warnings
from typing import Any, get_args, get_origin

from pydantic import BaseModel, RootModel, TypeAdapter, create_model

from penstock.runtime.deprecation import PenstockDeprecationWarning
from penstock.runtime.types.final import Final
from penstock.runtime.workflow.definition import Definition


class Described(Definition):
    """A definition with methods for its types.

    They come from the annotations of the first parameter and of the return value (the first of
    `entrypoint.final[R, S]`), and from `context_schema`. No annotation means any type.
    """

    def get_input_schema(self, config: Any = None) -> type[BaseModel]:
        """Return the type of the input as a pydantic model."""
        return _model(f"{self.name}_input", self.hints.get(self.input_name, Any))

    def get_output_schema(self, config: Any = None) -> type[BaseModel]:
        """Return the type of the result as a pydantic model."""
        return _model(f"{self.name}_output", _value_of(self.hints.get("return", Any)))

    def get_input_jsonschema(self, config: Any = None) -> dict[str, Any]:
        """Return the type of the input as a JSON schema."""
        return self.get_input_schema().model_json_schema()

    def get_output_jsonschema(self, config: Any = None) -> dict[str, Any]:
        """Return the type of the result as a JSON schema."""
        return self.get_output_schema().model_json_schema()

    def config_schema(self, *, include: Any = None) -> type[BaseModel]:
        """Return the type of the context as a pydantic model; an old name."""
        warnings.warn(
            "`config_schema()` is now called `get_context_jsonschema()`",
            PenstockDeprecationWarning,
            stacklevel=2,
        )
        return _model(f"{self.name}_context", self.context_schema or Any)

    def get_context_jsonschema(self) -> dict[str, Any] | None:
        """Return the type of the context as a JSON schema, None without a `context_schema`."""
        if self.context_schema is None:
            return None
        schema: Any = self.context_schema
        name = getattr(schema, "__name__", f"{self.name}_context")
        return {"title": name, **TypeAdapter(schema).json_schema()}


def _model(title: str, kind: Any) -> type[BaseModel]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind
    root: Any = RootModel[kind]
    model: type[BaseModel] = create_model(title, __base__=root)
    return model


def _value_of(returned: Any) -> Any:
    """Return the type of the result, where a body is annotated to return a `final`."""
    origin = get_origin(returned) or returned
    if not (isinstance(origin, type) and issubclass(origin, Final)):
        return returned
    given = get_args(returned)
    return given[0] if given else Any
