"""Filters of handlers: what they admit, and what is made by them."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.gateway.auth.failures import AuthHandlerError
from penstock.gateway.auth.filters import both, kept_by, read_filter, with_filter
from penstock.runtime.types.thread_record import contains


@pytest.mark.parametrize(
    ("given", "metadata", "is_admitted"),
    [
        ({}, {}, True),
        ({"owner": "ann"}, {"owner": "ann", "n": 1}, True),
        ({"owner": "ann"}, {"owner": "bob"}, False),
        ({"owner": "ann"}, {"owner": ["ann"]}, False),
        ({"owner": "ann"}, {}, False),
        ({"owner": {"$eq": "ann"}}, {"owner": "ann"}, True),
        ({"n": {"$eq": 1}}, {"n": True}, False),
        ({"who": {"$contains": "ann"}}, {"who": ["bob", "ann"]}, True),
        ({"who": {"$contains": "ann"}}, {"who": "ann"}, False),
        ({"who": {"$contains": "ann"}}, {"who": "annabel"}, False),
        ({"who": {"$contains": ["ann", "bob"]}}, {"who": ["bob", "c", "ann"]}, True),
        ({"who": {"$contains": ["ann", "bob"]}}, {"who": ["bob"]}, False),
        ({"owner": "ann", "n": 1}, {"owner": "ann", "n": 2}, False),
    ],
)
def test_a_filter_admits_what_has_all_of_it(given: Any, metadata: Any, is_admitted: bool) -> None:
    own = read_filter(given)

    assert contains(metadata, own) is is_admitted
    made = with_filter(metadata, own)
    assert contains(made, own)
    assert not is_admitted or made == metadata


@pytest.mark.parametrize(
    "given",
    [
        {"owner": {"$ne": "ann"}},
        {"owner": {}},
        {"owner": {"$eq": "a", "$contains": "b"}},
        {"owner": None},
        {"owner": ["ann"]},
        {"owner": {"$eq": ["ann"]}},
        {"owner": {"$eq": None}},
        {"owner": {"$contains": []}},
        {"owner": {"$contains": [{"a": 1}]}},
        {"owner": {"name": "ann"}},
        {"$or": [{"owner": "ann"}]},
        {1: "ann"},
    ],
)
def test_a_filter_that_is_not_understood_is_a_failure(given: Any) -> None:
    with pytest.raises(AuthHandlerError):
        read_filter(given)


@pytest.mark.parametrize(
    ("wanted", "own", "found"),
    [
        ({}, {"owner": "ann"}, {"owner": "ann"}),
        ({"n": 1}, {"owner": "ann"}, {"n": 1, "owner": "ann"}),
        ({"owner": "ann"}, {"owner": "ann"}, {"owner": "ann"}),
        ({"owner": "bob"}, {"owner": "ann"}, None),
        ({"owner": ["ann"]}, {"owner": "ann"}, None),
        ({"owner": {"a": 1}}, {"owner": "ann"}, None),
        ({"who": "ann"}, {"who": ["ann"]}, None),
        ({"who": ["a"]}, {"who": ["b"]}, {"who": ["a", "b"]}),
        ({"n": True}, {"n": 1}, None),
        ({"n": None}, {"n": 1}, None),
    ],
)
def test_what_is_looked_for_is_narrowed(wanted: Any, own: Any, found: Any) -> None:
    assert both(wanted, own) == found


def test_a_change_keeps_what_a_filter_wants() -> None:
    own = {"owner": "ann", "who": ["ann"]}

    assert kept_by(own, {"n": 1}) == {"n": 1}
    assert kept_by(own, {"owner": "bob"}) == {"owner": "ann"}
    assert kept_by(own, {"who": ["bob"]}) == {"who": ["bob", "ann"]}
