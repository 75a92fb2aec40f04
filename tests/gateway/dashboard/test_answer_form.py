"""Forms for answers, made from JSON schemas."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field, TypeAdapter

from penstock.gateway.dashboard.answer_form import fields_of, read_answer
from penstock.gateway.errors import RequestError


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Place(BaseModel):
    city: str
    floor: int = 1


class Visit(BaseModel):
    who: str = Field(description="their name")
    sure: bool
    price: float
    colour: Colour
    kind: Literal[1, 2]
    place: Place
    on: date | None = None
    names: list[str]


def schema_of(kind: Any) -> dict[str, Any]:
    return TypeAdapter(kind).json_schema()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (str, "string"),
        (int, "integer"),
        (float, "number"),
        (bool, "boolean"),
        (Colour, "choice"),
        (Literal["a", 1], "choice"),
        (str | None, "string"),
        (int | str, "json"),
        (list[int], "json"),
        (dict[str, int], "json"),
    ],
)
def test_a_schema_gives_an_input_of_its_kind(kind: Any, expected: str) -> None:
    (field,) = fields_of(schema_of(kind))

    assert field.kind == expected
    assert field.name == "answer"


def test_without_a_schema_an_answer_is_json() -> None:
    assert [each.kind for each in fields_of(None)] == ["json"]


def test_an_object_has_an_input_for_each_member() -> None:
    fields = {each.name: each for each in fields_of(schema_of(Visit))}

    kinds = {name.removeprefix("answer."): each.kind for name, each in fields.items()}
    assert kinds == {
        "who": "string",
        "sure": "boolean",
        "price": "number",
        "colour": "choice",
        "kind": "choice",
        "place.city": "string",
        "place.floor": "integer",
        "on": "string",
        "names": "json",
    }
    assert fields["answer.who"].hint == "their name"
    assert fields["answer.place.floor"].default == "1"
    optional = {name for name, each in fields.items() if not each.is_required}
    assert optional == {"answer.place.floor", "answer.on"}


def test_a_form_is_read_back_as_the_answer() -> None:
    form = {
        "answer.who": "Ann",
        "answer.sure": "true",
        "answer.price": "2.5",
        "answer.colour": '"blue"',
        "answer.kind": "2",
        "answer.place.city": "Basel",
        "answer.place.floor": "",
        "answer.on": "",
        "answer.names": '["a"]',
    }

    answer = read_answer(schema_of(Visit), form)

    assert Visit.model_validate(answer) == Visit(
        who="Ann",
        sure=True,
        price=2.5,
        colour=Colour.BLUE,
        kind=2,
        place=Place(city="Basel"),
        names=["a"],
    )


@pytest.mark.parametrize(
    ("kind", "text", "answer"),
    [
        (str, "true", "true"),
        (str, "", ""),
        (str | None, "", None),
        (int | None, "", None),
        (bool, "false", False),
        (int, "12", 12),
    ],
)
def test_a_lone_input_is_the_answer(kind: Any, text: str, answer: Any) -> None:
    assert read_answer(schema_of(kind), {"answer": text}) == answer


@pytest.mark.parametrize(
    ("kind", "text"), [(int, "x"), (int, ""), (bool, "yes"), (list[int], "[1,"), (list[int], "")]
)
def test_what_is_not_of_its_kind_is_refused(kind: Any, text: str) -> None:
    with pytest.raises(RequestError, match="is not") as refused:
        read_answer(schema_of(kind), {"answer": text})

    assert refused.value.status == 422


def test_a_schema_that_refers_to_itself_ends() -> None:
    schema = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}

    assert [each.kind for each in fields_of(schema)] == ["json"]


def test_deep_objects_are_json() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(8):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"]}

    (field,) = fields_of(schema)

    assert (field.kind, len(field.path)) == ("json", 4)
