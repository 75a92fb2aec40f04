"""What is void when a step is executed again: all it has said since it was last recorded."""

from __future__ import annotations

import pytest

from penstock.runtime.words import Words


@pytest.fixture
def words() -> Words:
    words = Words()
    for seq, step_id in enumerate(["a:0", "a:0/b:0", "a:0", "a:0/b:1", "a:01", "", "a:0/b:0"], 3):
        words.said(step_id, seq)
    return words


def test_the_first_word_since_the_last_is_given_once(words: Words) -> None:
    assert words.take_back("a:0") == 3
    assert words.take_back("a:0") is None

    words.said("a:0", 20)

    assert words.take_back("a:0") == 20


def test_what_nobody_hears_is_not_taken_back(words: Words) -> None:
    words.said("c:0", 0)

    assert words.take_back("c:0") is None


def test_a_recorded_step_keeps_its_words_and_those_below_it(words: Words) -> None:
    words.keep("a:0")

    assert [words.take_back(each) for each in ("a:0", "a:0/b:0", "a:0/b:1")] == [None] * 3
    assert [words.take_back(each) for each in ("a:01", "")] == [7, 8]


def test_only_steps_that_came_to_an_end_are_void_with_the_one_above(words: Words) -> None:
    words.end("a:0/b:0")
    words.end("a:01")
    words.end("a:0/silent:0")

    assert words.ended_below("a:0") == ["a:0/b:0"]
    assert words.ended_below("") == ["a:0/b:0", "a:01"]


def test_a_step_that_began_again_has_not_ended(words: Words) -> None:
    words.end("a:0/b:0")
    words.take_back("a:0/b:0")
    words.said("a:0/b:0", 30)

    assert words.ended_below("a:0") == []
