from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.runtime.store.search.filter import matcher

VALUE: dict[str, Any] = {
    "name": "Ada",
    "age": 36,
    "tags": ["a", "b"],
    "home": {"city": "London", "floors": 3},
    "none": None,
    "price": "9.5",
    "pair": (1, 2),
}


def matches(filter: dict[str, Any], value: dict[str, Any] = VALUE) -> bool:
    test = matcher(filter)
    return test is None or test(value)


@pytest.mark.parametrize(
    "filter",
    [
        {},
        {"name": "Ada"},
        {"name": "Ada", "age": 36},
        {"tags": ["a", "b"]},
        {"home": {"city": "London", "floors": 3}},
        {"home": {"city": "London", "floors": {"$gt": 2}}},
        {"none": None},
        {"missing": None},
        {"name": {"$eq": "Ada"}},
        {"name": {"$ne": "Bob"}},
        {"missing": {"$ne": "Bob"}},
        {"age": {"$gt": 35, "$lte": 36}},
        {"age": {"$gte": "36", "$lt": 36.5}},
        {"price": {"$gt": 9}},
        {"pair": [1, 2]},
        {"tags": {"$eq": ["a", "b"]}},
    ],
)
def test_a_filter_that_matches(filter: dict[str, Any]) -> None:
    assert matches(filter)


@pytest.mark.parametrize(
    "filter",
    [
        {"name": "ada"},
        {"name": "Ada", "age": 37},
        {"tags": ["a"]},
        {"tags": ["b", "a"]},
        {"tags": "a"},
        {"home": {"city": "London"}},
        {"home": {"city": "London", "floors": 3, "x": None}},
        {"home": {"city": "London", "floors": {"$gt": 3}}},
        {"name": {"city": "London"}},
        {"missing": 0},
        {"name": {"$eq": "Bob"}},
        {"name": {"$ne": "Ada"}},
        {"age": {"$gt": 36}},
        {"age": {"$gte": 30, "$lt": 36}},
        {"name": {"$gt": 1}},
        {"missing": {"$lt": 1}},
        {"none": {"$lte": 1}},
        {"tags": {"$gt": 0}},
    ],
)
def test_a_filter_that_does_not_match(filter: dict[str, Any]) -> None:
    assert not matches(filter)


@pytest.mark.parametrize(
    "condition",
    [{"$in": [1]}, {"$GT": 1}, {"$": 1}, {"$gt": 1, "x": 2}, {"deep": {"$x": 1}}, [{"$x": 1}]],
)
def test_an_unknown_operator_is_an_error_when_the_filter_is_read(condition: Any) -> None:
    with pytest.raises(ValueError, match=r"unknown operator .* in a filter; known: \$eq"):
        matcher({"field": condition})


@pytest.mark.parametrize("operand", ["abc", None, [], datetime(2026, 1, 1, tzinfo=UTC), 10**400])
def test_an_order_needs_a_number(operand: Any) -> None:
    with pytest.raises(ValueError, match=r"\$lt compares numbers"):
        matcher({"field": {"$lt": operand}})


def test_no_filter_is_none() -> None:
    assert matcher(None) is None
    assert matcher({}) is None


trees = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=6,
)
fields = st.dictionaries(st.sampled_from("abc"), trees, max_size=3)


@given(fields, fields)
def test_without_operators_a_filter_compares_exactly(
    value: dict[str, Any], filter: dict[str, Any]
) -> None:
    expected = all(value.get(name) == wanted for name, wanted in filter.items())

    assert matches(filter, value) is expected
    assert matches({name: {"$eq": each} for name, each in filter.items()}, value) is expected
    assert matches(value, value)


@pytest.mark.parametrize(
    ("name", "compare"),
    [("$gt", operator.gt), ("$gte", operator.ge), ("$lt", operator.lt), ("$lte", operator.le)],
)
@given(value=st.floats() | st.integers(-5, 5), operand=st.floats() | st.integers(-5, 5))
def test_orders_compare_as_floats(
    name: str, compare: Callable[[float, float], bool], value: float, operand: float
) -> None:
    expected = compare(float(value), float(operand))

    assert matches({"n": {name: operand}}, {"n": value}) is expected
