from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.runtime.store.search.path import parse, texts_at

VALUE: dict[str, Any] = {
    "title": "Tea",
    "count": 3,
    "yes": True,
    "none": None,
    "empty": "",
    "author": {"name": "Ada", "age": 36},
    "tags": ["hot", "green", {"deep": "x"}],
    "parts": [{"text": "one"}, {"text": "two"}, {"other": 1}],
    "day": date(2026, 1, 2),
    "é": "è",
}


@pytest.mark.parametrize(
    ("path", "texts"),
    [
        ("title", ["Tea"]),
        ("$.title", ["Tea"]),
        ("count", ["3"]),
        ("yes", ["True"]),
        ("none", []),
        ("empty", [""]),
        ("missing", []),
        ("title.x", []),
        ("author.name", ["Ada"]),
        ("author", ['{"age": 36, "name": "Ada"}']),
        ("author.*", ["Ada", "36"]),
        ("author[*]", []),
        ("tags[0]", ["hot"]),
        ("tags[-1]", ['{"deep": "x"}']),
        ("tags[-1].deep", ["x"]),
        ("tags[3]", []),
        ("tags[-4]", []),
        ("tags[*]", ["hot", "green", '{"deep": "x"}']),
        ("tags.*", ["hot", "green", '{"deep": "x"}']),
        ("tags.0", []),
        ("parts[*].text", ["one", "two"]),
        ("*.name", ["Ada"]),
        ("{title,author.name}", ["Tea", "Ada"]),
        ("author.{name, age}", ["Ada", "36"]),
        ("{parts[0],parts[1]}.text", ["one", "two"]),
        ("{author.{name,age},title}", ["Ada", "36", "Tea"]),
        ("day", ["2026-01-02"]),
        ("é", ["è"]),
    ],
)
def test_a_path_leads_to_texts(path: str, texts: list[str]) -> None:
    assert texts_at(VALUE, parse(path)) == texts


@pytest.mark.parametrize("path", ["$", ""])
def test_the_whole_value_is_sorted_json(path: str) -> None:
    value = {"b": ["ü", 1], "a": {"z": None, "y": date(2026, 1, 2)}, "c": {1: (2,)}}

    assert texts_at(value, parse(path)) == [
        '{"a": {"y": "2026-01-02", "z": null}, "b": ["ü", 1], "c": {"1": [2]}}'
    ]


@pytest.mark.parametrize("path", ["a[", "a[x]", "a]", "{a", "a}", "a..b", ".", "a.", "{a,[}", "[]"])
def test_a_path_that_cannot_be_read_is_an_error(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        parse(path)


@given(st.text(alphabet="ab.*[]{},01-$ ", max_size=12))
def test_every_text_is_a_path_or_an_error(path: str) -> None:
    try:
        steps = parse(path)
    except ValueError:
        return
    texts_at({"a": {"b": ["x", {"a": 1}]}, "b": [1, [2]]}, steps)
