"""A form for the answer to a question, made from the JSON schema that the answer has to fit."""

from __future__ import annotations

__all__ = ["Field", "fields_of", "read_answer"]

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from penstock.gateway.errors import RequestError

Schema = Mapping[str, Any]

ROOT: Final = "answer"
"""The name of the field of an answer that is no object."""

DEEP: Final = 4
"""Objects in objects; what is deeper is written as JSON."""

_PLAIN: Final = ("string", "integer", "number", "boolean")


@dataclass(frozen=True, slots=True)
class Field:
    """One input of a form."""

    name: str
    path: tuple[str, ...]
    """Where its value stands in the answer; empty: it is the answer."""
    label: str
    kind: str
    """`string`, `integer`, `number`, `boolean`, `choice`, or `json`."""
    is_required: bool
    hint: str = ""
    choices: tuple[Any, ...] = ()
    default: str = ""
    """As text of the input."""

    def text_of(self, choice: Any) -> str:
        """Write a choice as the value of its option."""
        return json.dumps(choice)


def fields_of(schema: Schema | None) -> list[Field]:
    """Return the inputs for an answer; one for JSON where the schema says too little."""
    return list(_fields(schema or {}, schema or {}, (), True, ""))


def _fields(
    schema: Schema, root: Schema, path: tuple[str, ...], is_required: bool, label: str
) -> Iterator[Field]:
    schema, is_nullable = _resolved(schema, root)
    is_required = is_required and not is_nullable
    label = str(schema.get("title") or label or ROOT)
    properties = schema.get("properties")
    if isinstance(properties, Mapping) and properties and is_required and len(path) < DEEP:
        required = schema.get("required") or ()
        for name, inner in cast("Mapping[str, Schema]", properties).items():
            yield from _fields(inner, root, (*path, name), name in required, name)
        return
    choices = tuple(schema["enum"]) if "enum" in schema else _constant(schema)
    kind = "choice" if choices else str(schema.get("type"))
    default = schema.get("default")
    kind = kind if kind in (*_PLAIN, "choice") else "json"
    yield Field(
        ".".join((ROOT, *path)),
        path,
        label,
        kind,
        is_required,
        str(schema.get("description") or schema.get("format") or ""),
        choices,
        "" if default is None else default if kind == "string" else json.dumps(default),
    )


def _constant(schema: Schema) -> tuple[Any, ...]:
    return (schema["const"],) if "const" in schema else ()


def _resolved(schema: Schema, root: Schema) -> tuple[Schema, bool]:
    """Follow references, and take `null` out of alternatives; tells whether it was there."""
    is_nullable = False
    for _ in range(DEEP):
        options: Sequence[Schema] = schema.get("anyOf") or schema.get("oneOf") or ()
        others = [each for each in options if each.get("type") != "null"]
        if "$ref" in schema:
            schema = {**_referred(str(schema["$ref"]), root), **_without(schema, "$ref")}
        elif len(others) == 1 and len(options) == len(others) + 1:
            is_nullable = True
            schema = {**others[0], **_without(schema, "anyOf", "oneOf")}
        else:
            break
    return schema, is_nullable


def _referred(name: str, root: Schema) -> Schema:
    found: Any = root
    for part in name.removeprefix("#/").split("/"):
        found = found.get(part, {}) if isinstance(found, Mapping) else {}  # pyright: ignore
    return cast("Schema", found)


def _without(schema: Schema, *names: str) -> Schema:
    return {name: value for name, value in schema.items() if name not in names}


def read_answer(schema: Schema | None, form: Mapping[str, str]) -> Any:
    """Read the answer out of a form; the run's own check says whether it fits the schema.

    Raises:
        RequestError: a field has no value of its kind.
    """
    answer: Any = {}
    for each in fields_of(schema):
        text = form.get(each.name, "")
        is_absent = not text and not each.is_required
        if is_absent and each.path:
            continue
        value = None if is_absent else _value(each, text)
        if not each.path:
            return value
        place = answer
        for part in each.path[:-1]:
            place = place.setdefault(part, {})
        place[each.path[-1]] = value
    return answer


def _value(each: Field, text: str) -> Any:
    if each.kind == "string":
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        said = "JSON" if each.kind in ("json", "choice") else f"a value of type {each.kind}"
        raise RequestError(422, f"{each.label}: {text[:100]!r} is not {said}.") from None
