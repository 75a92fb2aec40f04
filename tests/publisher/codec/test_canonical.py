"""One text for equal values."""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.publisher.codec.canonical import canonical
from penstock.publisher.codec.codec import Codec
from penstock.publisher.codec.failure import dump_error, load_error
from penstock.publisher.codec.registry import TypeRegistry

registry = TypeRegistry()
codec = Codec(registry=registry)


@registry.add
@dataclass(frozen=True)
class Box:
    content: Any


def text(value: Any) -> str:
    return canonical(codec.dumps(value))


def turned(value: Any) -> Any:
    """The same value with all that has no order the other way round."""
    shape: object = value
    if isinstance(shape, dict):
        return {key: turned(part) for key, part in reversed(value.items())}
    if isinstance(shape, (list, tuple)):
        return value.__class__(map(turned, value))
    return Box(turned(value.content)) if isinstance(shape, Box) else value


def nested(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    keys = st.text(max_size=3) | st.integers() | st.tuples(st.text(max_size=2))
    return (
        st.lists(parts, max_size=3)
        | st.dictionaries(keys, parts, max_size=4)
        | st.tuples(parts)
        | st.builds(Box, parts)
    )


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(allow_nan=False),
    nested,
    max_leaves=12,
)


@given(VALUES)
def test_the_order_of_keys_does_not_count(value: Any) -> None:
    assert turned(value) == value
    assert text(turned(value)) == text(value)


@given(VALUES, VALUES)
def test_different_values_have_different_texts(one: Any, two: Any) -> None:
    if codec.dumps(turned(one)) != codec.dumps(turned(two)) and one != two:
        assert text(one) != text(two)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"a", "b", "c"}, {"c", "b", "a"}),
        ({frozenset({"a", "b"}), 1}, {1, frozenset({"b", "a"})}),
        (Counter("ab"), Counter("ba")),
        ({"~a": 1, "b": {2: "x", "y": 1}}, {"b": {"y": 1, 2: "x"}, "~a": 1}),
    ],
)
def test_sets_and_counters_have_no_order(one: Any, two: Any) -> None:
    assert text(one) == text(two)


def test_what_has_an_order_keeps_it() -> None:
    assert text([1, {"a": 2}]) != text([{"a": 2}, 1])
    assert text(OrderedDict(a=1, b=2)) != text(OrderedDict(b=2, a=1))


def test_an_error_has_the_same_text_when_it_is_read_again() -> None:
    def raised() -> Exception:
        try:
            raise ValueError("x", {"b": 1, "a": 2})
        except ValueError as error:
            return error

    error: Any = raised()
    error.lock = object()
    again = load_error(codec.loads(codec.dumps(dump_error(error, codec))))
    error.add_note("in task 'fetch'")

    assert text([error]) == text([again])
    assert text([error]) != text([ValueError("y")])
    assert text([error]) != text([KeyError("x", {"b": 1, "a": 2})])


@registry.add
class Form(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")


@pytest.mark.parametrize("name", ["~error", "~set", "~dict", "~record", "~enum", "~frozenset"])
def test_names_that_a_model_was_given_are_no_tags(name: str) -> None:
    one, two = Form(**{name: [2, 1]}), Form(**{name: [1, 2]})

    assert codec.loads(codec.dumps(one)) == one
    assert codec.knows(codec.dumps(one))
    assert text(one) != text(two)
    assert text(Form(**{"a": 1, name: {"x": 1, "y": 2}})) == text(
        Form(**{name: {"y": 2, "x": 1}, "a": 1})
    )
