"""Inputs annotated with TypedDicts of `typing`, which pydantic refuses before Python 3.12."""

from __future__ import annotations

import sys
import typing
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Generic, Literal, NotRequired, Optional, Required, TypeVar

import pytest
from pydantic import ConfigDict, Field

from penstock.runtime import entrypoint
from penstock.runtime.errors import ConfigurationError, InputError

T = TypeVar("T")
DAY = date(2026, 11, 29)


class Base(typing.TypedDict):
    day: date


class Order(Base, total=False):
    """An order."""

    count: Required[Annotated[int, Field(gt=0)]]
    note: str
    parts: list[Order]


class Strict(typing.TypedDict):
    day: NotRequired[date]


Strict.__pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[attr-defined]


class Box(typing.TypedDict, Generic[T]):
    inside: T


@dataclass
class Held:
    order: Order


def took(annotation: Any, value: Any) -> Any:
    """What the body of an entrypoint gets for a value."""

    def body(given: Any) -> Any:
        return [given]

    body.__annotations__["given"] = annotation
    return entrypoint()(body).invoke(value)[0]


WHOLE = {"day": DAY, "count": 2, "parts": [{"day": DAY, "count": 1}]}
GIVEN = {"day": "2026-11-29", "count": "2", "parts": [{"day": "2026-11-29", "count": "1"}]}
WRONG: list[Any] = [
    *({"day": DAY}, {"count": 1}, {**WHOLE, "count": 0}, {**WHOLE, "parts": [{}]}),
]
WRAPPED: list[tuple[Any, Callable[[Any], Any]]] = [
    (Order, lambda order: order),
    (list[Order], lambda order: [order]),
    (dict[Literal["a"], Order], lambda order: {"a": order}),
    (typing.List[Order], lambda order: [order]),  # noqa: UP006 (the old way to write it)
    (Optional[Order], lambda order: order),  # noqa: UP045
    (int | Order, lambda order: order),
    (Annotated[Order, "note"], lambda order: order),
    (tuple[Order, ...], lambda order: (order,)),
    (Box[Order], lambda order: {"inside": order}),
    (Box[Box[Order]], lambda order: {"inside": {"inside": order}}),
]


@pytest.mark.parametrize(("annotation", "wrap"), WRAPPED, ids=[str(each) for each, _ in WRAPPED])
def test_a_typed_dict_is_validated_wherever_it_stands(
    annotation: Any, wrap: Callable[[Any], Any]
) -> None:
    assert took(annotation, wrap(GIVEN)) == wrap(WHOLE)

    for wrong in WRONG:
        with pytest.raises(InputError, match="the input of entrypoint 'body' is refused"):
            took(annotation, wrap(wrong))


def test_a_typed_dict_keeps_its_config_and_what_is_not_required() -> None:
    assert took(Strict, {}) == {}
    assert took(Strict, {"day": "2026-11-29"}) == {"day": DAY}
    with pytest.raises(InputError, match="Extra inputs are not permitted"):
        took(Strict, {"other": 1})


def test_the_schema_of_a_typed_dict_can_be_asked_for() -> None:
    @entrypoint()
    def main(order: Order) -> Order:
        return order

    schema = main.get_input_jsonschema()

    assert schema["$defs"]["Order"]["description"] == "An order."
    assert sorted(schema["$defs"]["Order"]["required"]) == ["count", "day"]
    assert main.get_output_jsonschema()["$defs"] == schema["$defs"]


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="pydantic takes it")
def test_a_typed_dict_inside_another_class_is_refused_with_the_fix() -> None:
    with pytest.raises(ConfigurationError, match="Import TypedDict from typing_extensions"):
        took(Held, {"order": GIVEN})


def test_of_a_key_whose_annotation_has_no_meaning_any_value_is_taken() -> None:
    fields: Any = {"x": "Nowhere", "count": int}
    unknown: Any = typing.TypedDict("unknown", fields)  # type: ignore[misc]

    assert took(unknown, {"x": "1", "count": "1"}) == {"x": "1", "count": 1}
