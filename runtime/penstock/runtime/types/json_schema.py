"""Types made of JSON schemas, so that an answer can be checked where its own type is not known."""

from __future__ import annotations

__all__ = ["type_of"]

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Final, Literal, TypeAlias, cast

from pydantic import BaseModel, ConfigDict, Field, create_model

Schema: TypeAlias = Mapping[str, Any]

_LIMITS: Final = {
    "minimum": "ge",
    "exclusiveMinimum": "gt",
    "maximum": "le",
    "exclusiveMaximum": "lt",
    "multipleOf": "multiple_of",
    "minLength": "min_length",
    "maxLength": "max_length",
    "pattern": "pattern",
    "minItems": "min_length",
    "maxItems": "max_length",
}

_FORMATS: Final[dict[str, Any]] = {
    "date-time": datetime,
    "date": date,
    "time": time,
    "duration": timedelta,
    "uuid": uuid.UUID,
    "binary": str | bytes,
}

_LEAVES: Final[dict[str, Any]] = {
    "integer": int,
    "number": float,
    "boolean": bool,
    "null": None,
}


def type_of(schema: Schema) -> Any:
    """Return a type that takes the values that a JSON schema allows.

    Rules without a counterpart here are ignored: recursion, conditions, formats. The type is for
    refusing invalid values, not for building valid ones.
    """
    return _Reader(schema).read(schema)


class _Reader:
    def __init__(self, root: Schema) -> None:
        self._definitions: Schema = root.get("$defs", {})
        self._open: set[str] = set()

    def read(self, schema: Any) -> Any:
        """Return the type of a schema, or of a part of one."""
        if not isinstance(schema, Mapping):
            return Any
        members = cast(Schema, schema)
        if "$ref" in members:
            return self._referred(str(members["$ref"]).rpartition("/")[2])
        for key, read in self._combining.items():
            if key in members:
                return read(members[key])
        kinds = members.get("type", "object" if "properties" in members else None)
        if isinstance(kinds, str):
            return self._typed(kinds, members)
        return _union([self._typed(kind, members) for kind in kinds]) if kinds else Any

    @property
    def _combining(self) -> Mapping[str, Callable[[Any], Any]]:
        return {
            "const": lambda value: _literal([value]),
            "enum": _literal,
            "anyOf": lambda schemas: _union([self.read(each) for each in schemas]),
            "oneOf": lambda schemas: _union([self.read(each) for each in schemas]),
            "allOf": lambda schemas: self.read(schemas[0]) if len(schemas) == 1 else Any,
        }

    def _referred(self, name: str) -> Any:
        if name in self._open or name not in self._definitions:
            return Any
        self._open.add(name)
        try:
            return self.read(self._definitions[name])
        finally:
            self._open.discard(name)

    def _typed(self, kind: str, schema: Schema) -> Any:
        if kind == "object":
            return self._object(schema)
        if kind == "array":
            return _limited(self._array(schema), schema, "Items")
        if kind == "string":
            if "format" in schema:
                return _FORMATS.get(schema["format"], str)
            return _limited(str, schema, "Length", "pattern")
        if kind in ("integer", "number"):
            return _limited(_LEAVES[kind], schema, "imum", "multipleOf")
        return _LEAVES.get(kind, Any)

    def _array(self, schema: Schema) -> Any:
        if "prefixItems" in schema:
            items: Any = tuple(self.read(each) for each in schema["prefixItems"])
            return tuple[items] if schema.get("maxItems") == len(items) else list[Any]
        item: Any = self.read(schema.get("items", True))
        return list[item]

    def _object(self, schema: Schema) -> Any:
        properties: Schema = schema.get("properties", {})
        more = schema.get("additionalProperties", True)
        if not properties and more is not False:
            value: Any = self.read(more)
            return dict[str, value]
        required = schema.get("required", ())
        fields: dict[str, Any] = {
            f"field_{number}": (
                self.read(each),
                Field(alias=name) if name in required else Field(None, alias=name),
            )
            for number, (name, each) in enumerate(properties.items())
        }
        config = ConfigDict(extra="forbid" if more is False else "allow")
        model: type[BaseModel] = create_model(
            str(schema.get("title", "answer")), __config__=config, **fields
        )
        return model


def _limited(kind: Any, schema: Schema, *endings: str) -> Any:
    limits = {
        _LIMITS[key]: value
        for key, value in schema.items()
        if key in _LIMITS and key.endswith(endings)
    }
    return Annotated[kind, Field(**limits)] if limits else kind


def _literal(values: Sequence[Any]) -> Any:
    plain = all(value is None or isinstance(value, (str, int, bool)) for value in values)
    allowed: Any = tuple(values)
    return Literal[allowed] if plain and values else Any


def _union(types: Sequence[Any]) -> Any:
    if any(each is Any for each in types):
        return Any
    union: Any = types[0] if types else Any
    for each in types[1:]:
        union = union | each
    return union
