"""What the demo's workflow reads in a text."""

from __future__ import annotations

from collections import Counter

import pytest

from penstock.worker.demo.text import Index, characteristic, phrases, references, words


def test_words_are_lower_case_and_keep_identifiers_and_hyphens_whole() -> None:
    assert words("The Read-only run_id isn't 42 café") == [
        "the",
        "read-only",
        "run_id",
        "isn't",
        "café",
    ]


def test_phrases_stay_inside_of_a_clause() -> None:
    counts = phrases("event stream. event stream. stream (event) stream (event)")

    assert counts == {"event": 4, "stream": 4, "event stream": 2}


def test_phrases_neither_begin_nor_end_with_a_word_that_says_nothing() -> None:
    counts = phrases("end of the line; end of the line")

    assert counts == {"end": 2, "line": 2, "end of the line": 2}


def test_telling_terms_are_frequent_here_and_rare_elsewhere() -> None:
    spread = Counter({"lease": 1, "redis": 10, "lease keeper": 1, "clock": 2})

    terms = characteristic(
        {"lease": 3, "redis": 9, "lease keeper": 2, "clock": 2}, spread, 10, most=2
    )

    assert [term for term, _ in terms] == ["lease", "clock"]


def test_a_single_file_has_telling_terms_too() -> None:
    assert characteristic({"hello": 1}, {"hello": 1}, 1, most=5) == [("hello", 0.693)]


@pytest.mark.parametrize(
    ("path", "text", "links"),
    [
        ("docs/a.md", "[b](b.md#part) [web](https://example.org/x.md)", ["docs/b.md"]),
        ("docs/a.md", "[up](../README.md) [self](a.md)", ["README.md"]),
        ("src/shop/cart.py", "from shop.money import Price", ["src/shop/money.py"]),
        ("src/shop/cart.py", "from .money import Price", ["src/shop/money.py"]),
        ("src/shop/cart.py", "from .. import tools\nimport shop", []),
        ("src/shop/money.py", "import os, sys\nimport shop.cart", ["src/shop/cart.py"]),
        ("web/app.ts", 'import { x } from "./util"', ["web/util.ts"]),
        ("README.md", "see `docs/b.md` and `cart.py`", ["docs/b.md", "src/shop/cart.py"]),
        ("README.md", "see [gone](docs/gone.md) and `b.md`", ["docs/b.md"]),
    ],
)
def test_references_link_files_of_the_folder(path: str, text: str, links: list[str]) -> None:
    index = Index(
        [
            "README.md",
            "docs/a.md",
            "docs/b.md",
            "src/shop/cart.py",
            "src/shop/money.py",
            "web/app.ts",
            "web/util.ts",
        ]
    )

    assert index.links(path, references(text)) == links


def test_a_name_that_two_files_have_links_to_neither() -> None:
    index = Index(["a/x.py", "b/x.py", "c.md"])

    assert index.links("c.md", references("`x.py`")) == []
