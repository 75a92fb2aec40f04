"""Forms for values, made from JSON schemas."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field, TypeAdapter

from penstock.gateway.dashboard.schema_form import (
    FormError,
    check_value,
    fields_of,
    read_form,
    texts_of,
)


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
    (field,) = fields_of(schema_of(kind), "answer")

    assert field.kind == expected
    assert field.name == "answer"


def test_a_lone_input_is_not_named_after_its_entrypoint() -> None:
    made, own = {"type": "string", "title": "order_input"}, {"type": "string", "title": "Item"}

    labels = [fields_of(schema, "input")[0].label for schema in (made, own, {"type": "string"})]

    assert labels == ["input", "Item", "input"]


def test_without_a_schema_an_answer_is_json() -> None:
    assert [each.kind for each in fields_of(None, "answer")] == ["json"]


def test_an_object_has_an_input_for_each_member() -> None:
    fields = {each.name: each for each in fields_of(schema_of(Visit), "answer")}

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

    answer = read_form(schema_of(Visit), form, "answer")

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
    assert read_form(schema_of(kind), {"answer": text}, "answer") == answer


@pytest.mark.parametrize(
    ("kind", "text"), [(int, "x"), (int, ""), (bool, "yes"), (list[int], "[1,"), (list[int], "")]
)
def test_what_is_not_of_its_kind_is_refused(kind: Any, text: str) -> None:
    with pytest.raises(FormError, match="is not") as refused:
        read_form(schema_of(kind), {"answer": text}, "answer")

    assert refused.value.status == 422


def test_a_schema_that_refers_to_itself_ends() -> None:
    schema = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}

    assert [each.kind for each in fields_of(schema, "answer")] == ["json"]


def test_deep_objects_are_json() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(8):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"]}

    (field,) = fields_of(schema, "answer")

    assert (field.kind, len(field.path)) == ("json", 4)


def test_each_field_that_is_wrong_has_a_sentence_of_its_own() -> None:
    schema = schema_of(Visit)
    form = {"answer.who": "Ann", "answer.sure": "true", "answer.price": "x", "answer.names": "["}

    with pytest.raises(FormError) as unread:
        read_form(schema, form | {"answer.colour": '"blue"', "answer.kind": "2"}, "answer")
    value = {"who": "Ann", "sure": True, "price": 1, "colour": "green", "kind": 1, "names": [1]}
    with pytest.raises(FormError) as unfit:
        check_value(schema, value, "answer")

    assert set(unread.value.problems) == {"answer.price", "answer.names"}
    assert set(unfit.value.problems) == {"answer.colour", "answer.names", "answer.place.city"}
    assert unfit.value.problems["answer.colour"].startswith("Colour: ")


@pytest.mark.parametrize("kind", [str, int, list[int], Colour, str | None])
def test_a_value_that_does_not_fit_at_all_is_a_problem_of_the_first_field(kind: Any) -> None:
    with pytest.raises(FormError) as refused:
        check_value(schema_of(kind), {"a": object}, "input")

    assert list(refused.value.problems) == ["input"]


def test_a_value_is_written_into_the_fields_that_it_is_read_from() -> None:
    value = {"who": "Ann", "sure": False, "price": 2.5, "colour": "blue", "kind": 2} | {
        "place": {"city": "Basel", "floor": 3},
        "names": ["a"],
    }
    schema = schema_of(Visit)

    texts = texts_of(fields_of(schema, "input"), value)

    assert read_form(schema, texts, "input") == value
    for kind, each in ((str, "x"), (str | None, None), (int | str, "1"), (type(None), None)):
        lone = schema_of(kind)
        assert read_form(lone, texts_of(fields_of(lone, "input"), each), "input") == each
