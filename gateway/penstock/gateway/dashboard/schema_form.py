"""A form for a value that has to fit a JSON schema: an answer, or the input of a run."""

from __future__ import annotations

__all__ = ["Field", "FormError", "Schema", "check_value", "fields_of", "read_form", "texts_of"]

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from pydantic import TypeAdapter, ValidationError

from penstock.gateway.errors import RequestError
from penstock.runtime.diagnostics.plain import plain
from penstock.runtime.types.json_schema import type_of

Schema = Mapping[str, Any]

DEEP: Final = 4
"""Objects in objects; what is deeper is written as JSON."""

_PLAIN: Final = ("string", "integer", "number", "boolean")


@dataclass(frozen=True, slots=True)
class Field:
    """One input of a form."""

    name: str
    path: tuple[str, ...]
    """Where its value stands in the whole; empty: it is the whole."""
    label: str
    kind: str
    """`string`, `integer`, `number`, `boolean`, `choice`, or `json`."""
    is_required: bool
    hint: str = ""
    choices: tuple[Any, ...] = ()
    default: str = ""
    """As text of the input."""

    def text_of(self, value: Any) -> str:
        """Write a value as the text of the input."""
        return value if self.kind == "string" and isinstance(value, str) else json.dumps(value)


class FormError(RequestError):
    """A form with fields whose values cannot be used."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        first = next(iter(problems.values()))
        more = f" So are {len(problems) - 1} more fields." if len(problems) > 1 else ""
        super().__init__(422, f"{first}{more}")
        self.problems = problems
        """What is wrong, by the names of fields."""


def fields_of(schema: Schema | None, root: str) -> list[Field]:
    """Return the inputs for a value; one for JSON where the schema says too little.

    `root` is the name of the input of a value that is no object; others begin with it.
    """
    return list(_fields(schema or {}, _Form(schema or {}, root), (), True, ""))


@dataclass(frozen=True, slots=True)
class _Form:
    schema: Schema
    root: str


def _fields(
    schema: Schema, form: _Form, path: tuple[str, ...], is_required: bool, label: str
) -> Iterator[Field]:
    schema, is_nullable = _resolved(schema, form.schema)
    is_required = is_required and not is_nullable
    title = str(schema.get("title") or "")
    is_made = not path and title.endswith(f"_{form.root}")  # from the name of an entrypoint
    label = ("" if is_made else title) or label or form.root
    properties = schema.get("properties")
    if isinstance(properties, Mapping) and properties and is_required and len(path) < DEEP:
        required = schema.get("required") or ()
        for name, inner in cast("Mapping[str, Schema]", properties).items():
            yield from _fields(inner, form, (*path, name), name in required, name)
        return
    choices = tuple(schema["enum"]) if "enum" in schema else _constant(schema)
    kind = "choice" if choices else str(schema.get("type"))
    default = schema.get("default")
    if kind == "null":
        kind, is_required = "json", False
    kind = kind if kind in (*_PLAIN, "choice") else "json"
    yield Field(
        ".".join((form.root, *path)),
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


def texts_of(fields: Sequence[Field], value: Any) -> dict[str, str]:
    """Write a value as the texts of the fields of a form."""
    texts: dict[str, str] = {}
    for each in fields:
        found = plain(value)
        for part in each.path:
            found = found.get(part) if isinstance(found, dict) else None  # pyright: ignore
        is_empty = found is None and (each.kind == "string" or not each.is_required)
        texts[each.name] = "" if is_empty else each.text_of(found)
    return texts


def read_form(schema: Schema | None, form: Mapping[str, str], root: str) -> Any:
    """Read a value out of a form; whether it fits the schema is checked elsewhere.

    Raises:
        FormError: fields have no values of their kinds.
    """
    whole: Any = {}
    problems: dict[str, str] = {}
    for each in fields_of(schema, root):
        text = form.get(each.name, "")
        is_absent = not text and not each.is_required
        if is_absent and each.path:
            continue
        try:
            value = None if is_absent else _value(each, text)
        except (ValueError, RecursionError):
            problems[each.name] = _problem(each, text)
            continue
        whole = value if not each.path else _placed(whole, each.path, value)
    if problems:
        raise FormError(problems)
    return whole


def _placed(whole: dict[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:
    place = whole
    for part in path[:-1]:
        place = place.setdefault(part, {})
    place[path[-1]] = value
    return whole


def _value(each: Field, text: str) -> Any:
    return text if each.kind == "string" else json.loads(text)


def _problem(each: Field, text: str) -> str:
    wanted = "JSON" if each.kind in ("json", "choice") else f"a value of type {each.kind}"
    return f"{each.label}: {text[:100]!r} is not {wanted}."


def check_value(schema: Schema | None, value: Any, root: str) -> None:
    """Check whether a value fits a schema, as far as JSON schemas tell.

    Raises:
        FormError: it does not; has a sentence for each field.
    """
    if schema is None:
        return
    try:
        TypeAdapter(type_of(schema)).validate_python(value)
    except ValidationError as error:
        fields = fields_of(schema, root)
        problems: dict[str, str] = {}
        for each in error.errors(include_url=False, include_context=False, include_input=False):
            field = _field_at(fields, [str(part) for part in each["loc"]])
            problems.setdefault(field.name, f"{field.label}: {each['msg']}.")
        raise FormError(problems) from error


def _field_at(fields: Sequence[Field], place: Sequence[str]) -> Field:
    """Return the field that an error is of: pydantic's places also name branches of unions."""
    around = [each for each in fields if [*each.path] == place[: len(each.path)]]
    if around:
        return max(around, key=lambda each: len(each.path))
    inside = [each for each in fields if [*each.path[: len(place)]] == place]
    return (inside or fields)[0]
