"""What an entrypoint says of its types."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from typing_extensions import TypedDict

from penstock.runtime import entrypoint


class Order(BaseModel):
    count: int


@dataclass
class Context:
    user: str


class Settings(TypedDict):
    user: str


def test_schemas_come_from_the_annotations() -> None:
    @entrypoint(context_schema=Context)
    def main(orders: list[Order], *, previous: Any = None) -> dict[str, int]:
        return {}

    order = {"Order": Order.model_json_schema()}
    assert main.get_input_jsonschema() == {
        "title": "main_input",
        "type": "array",
        "items": {"$ref": "#/$defs/Order"},
        "$defs": order,
    }
    assert main.get_output_jsonschema() == {
        "title": "main_output",
        "type": "object",
        "additionalProperties": {"type": "integer"},
    }
    context = main.get_context_jsonschema()
    assert context is not None
    assert context["title"] == "Context"
    assert context["properties"] == {"user": {"title": "User", "type": "string"}}


def test_models_stay_what_they_are() -> None:
    @entrypoint(context_schema=Order)
    def main(order: Order) -> Order:
        return order

    assert main.get_input_schema() is Order
    assert main.get_output_schema() is Order
    assert main.get_input_jsonschema() == main.get_context_jsonschema()


def test_the_result_of_a_final_is_its_first_type() -> None:
    @entrypoint()
    def main(x: int) -> entrypoint.final[str, list[int]]:
        return entrypoint.final(value="", save=[])

    @entrypoint()
    def bare(x: int) -> entrypoint.final:  # type: ignore[type-arg]
        return entrypoint.final(value="", save=[])

    assert main.get_output_jsonschema() == {"title": "main_output", "type": "string"}
    assert bare.get_output_jsonschema() == {"title": "bare_output"}


def test_without_annotations_anything_goes() -> None:
    plain: Callable[[Any], Any] = lambda x: x  # noqa: E731
    flow = entrypoint(name="flow")(plain)

    assert flow.get_input_jsonschema() == {"title": "flow_input"}
    assert flow.get_output_jsonschema() == {"title": "flow_output"}
    assert flow.get_context_jsonschema() is None


def test_a_schema_validates_as_pydantic_does() -> None:
    @entrypoint(context_schema=Settings)
    def main(x: int) -> str:
        return str(x)

    schema: Any = main.get_input_schema()
    assert schema.model_validate("7").root == 7
    with pytest.raises(ValidationError):
        schema.model_validate("x")
    context = main.get_context_jsonschema()
    assert context is not None
    assert context["required"] == ["user"]


def test_methods_and_instances_have_schemas_too() -> None:
    class Flow:
        def run(self, x: int) -> bytes:
            return b""

        def __call__(self, x: str) -> float:
            return 0.0

    assert entrypoint()(Flow().run).get_input_jsonschema()["type"] == "integer"
    assert entrypoint()(Flow()).get_output_jsonschema()["type"] == "number"
