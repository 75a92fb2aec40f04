"""`fold`: a run's events without what was said in vain, held against plain models of runs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.publisher import Event, fold


class Log:
    """A run's events as they are written, with the next seq known."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def say(self, mode: str, data: Any = None, path: str = "") -> int:
        namespace = tuple(path.split("/")) if path else ()
        seq = len(self.events) + 1
        self.events.append(Event(seq, "r", "r", mode, namespace, data, 1, 0.0))
        return seq

    def retry(self, step_id: str, void_from: int, mode: str = "step.retry") -> None:
        self.say(mode, {"id": step_id, "void_from": void_from})


def said(events: list[Event]) -> list[tuple[str, Any]]:
    return [(event.mode, event.data) for event in events]


def test_what_a_step_said_before_its_retry_is_left_out_and_so_is_the_retry() -> None:
    log = Log()
    log.say("step.started", {"id": "a:0"})
    first = log.say("custom", "half a", "a:0")
    log.say("custom", "other", "b:0")
    log.say("custom", " sent", "a:0")
    log.retry("a:0", first)
    log.say("custom", "half a sentence", "a:0")

    assert said(fold(log.events)) == [
        ("step.started", {"id": "a:0"}),
        ("custom", "other"),
        ("custom", "half a sentence"),
    ]


def test_only_what_came_since_the_seq_is_void() -> None:
    log = Log()
    log.say("custom", "kept", "a:0")
    log.retry("a:0", log.say("custom", "void", "a:0"))

    assert said(fold(log.events)) == [("custom", "kept")]


@pytest.mark.parametrize("other", ["a:0/b:0", "a:01", "~0/a:0", "", "a"])
def test_what_other_steps_said_stays(other: str) -> None:
    log = Log()
    log.say("custom", "kept", other)
    log.retry("a:0", 1)

    assert said(fold(log.events)) == [("custom", "kept")]


@pytest.mark.parametrize("word", ["custom", "message", "messages", "step.interrupted"])
def test_all_that_a_step_says_again_is_void(word: str) -> None:
    log = Log()
    is_fact_of_step = word.startswith("step.")
    log.say(word, {"id": "a:0", "chunk": "x"}, "" if is_fact_of_step else "a:0")
    log.retry("a:0", 1, "retry")

    assert fold(log.events) == []


def test_an_attempt_that_takes_over_begins_nothing_anew() -> None:
    log = Log()
    for mode, data in [
        ("run.started", {"name": "main"}),
        ("step.started", {"id": "a:0"}),
        ("run.started", {"name": "main"}),
        ("step.started", {"id": "a:0"}),
        ("step.finished", {"id": "a:0"}),
        ("run.interrupted", {}),
        ("run.resumed", {}),
        ("run.started", {"name": "main"}),
        ("run.suspended", {"seconds": 60.0}),
        ("run.started", {"name": "main"}),
    ]:
        log.say(mode, data)

    assert [event.seq for event in fold(log.events)] == [1, 2, 5, 6, 7, 8, 9, 10]


def test_a_failed_step_that_is_taken_back_has_begun_once() -> None:
    log = Log()
    log.say("step.started", {"id": "a:0"})
    first = log.say("custom", "half", "a:0")
    log.say("step.finished", {"id": "a:0", "outcome": {"error": {}}})
    log.retry("a:0", first)
    log.say("step.started", {"id": "a:0"})
    log.say("step.finished", {"id": "a:0", "outcome": {"value": 1}})

    assert [event.seq for event in fold(log.events)] == [1, 6]


def test_events_that_begin_in_the_middle_are_folded_too() -> None:
    log = Log()
    first = log.say("custom", "half", "a:0")
    log.say("custom", " a", "a:0")
    log.retry("a:0", first)
    log.say("custom", "whole", "a:0")

    assert said(fold(log.events[1:])) == [("custom", "whole")]


@pytest.mark.parametrize("data", [None, "retry", {"id": 1}, {"tries": 3}])
def test_a_publishers_own_mode_of_the_same_name_is_left_alone(data: Any) -> None:
    log = Log()
    log.say("retry", data)

    assert fold(log.events) == log.events


# -- against a model -----------------------------------------------------------------------------


class Story:
    """Executes a random program of steps, with failures, and writes what it says.

    `plain` is what is said where nothing fails, per step: fold has to come to the same.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.log = Log()
        self.plain: dict[str, list[str]] = {}

    def tell(self) -> Story:
        pending = [self.step(f"s:{number}") for number in range(self.rng.randint(1, 4))]
        while pending:  # interleaved, as parallel steps are
            if next(chosen := self.rng.choice(pending), None) is None:
                pending.remove(chosen)
        return self

    def step(self, path: str) -> Iterator[bool]:
        """Execute a step: it fails now and then, after some of its words, and begins again."""
        words = [f"{path} {number}" for number in range(self.rng.randint(0, 3))]
        depth = path.count("/")
        children = [f"{path}/c:{number}" for number in range(self.rng.randint(0, 2 - depth))]
        self.plain[path] = words
        self.log.say("step.started", {"id": path})
        for child in children:
            yield from self.step(child)  # recorded from here on: not executed again
        while True:
            failing = self.rng.random() < 0.4
            void_from = len(self.log.events) + 1
            for word in words[: self.rng.randint(0, len(words)) if failing else None]:
                self.log.say("custom", word, path)
                yield True
            if not failing:
                break
            self.log.retry(path, void_from)
            if self.rng.random() < 0.3:  # another attempt takes over
                self.log.say("step.started", {"id": path})
        self.log.say("step.finished", {"id": path, "outcome": {"value": 1}})


@given(st.integers(0, 2**32))
def test_a_folded_run_says_what_it_says_where_nothing_fails(seed: int) -> None:
    story = Story(random.Random(seed)).tell()

    folded = fold(story.log.events)

    for path, words in story.plain.items():
        own = [event for event in folded if event.namespace == tuple(path.split("/"))]
        assert [event.data for event in own] == words
        about = [e.mode for e in folded if e.mode != "custom" and e.data["id"] == path]
        assert about == ["step.started", "step.finished"]
    assert [event.seq for event in folded] == sorted({event.seq for event in folded})


@given(st.integers(0, 2**32))
def test_folding_again_changes_nothing(seed: int) -> None:
    folded = fold(Story(random.Random(seed)).tell().log.events)

    assert fold(folded) == folded


@given(st.integers(0, 2**32), st.integers(1, 200))
def test_what_is_folded_so_far_only_loses_words_as_more_comes(seed: int, cut: int) -> None:
    events = Story(random.Random(seed)).tell().log.events

    before, after = fold(events[:cut]), fold(events)

    lost = {event.seq for event in before} - {event.seq for event in after}
    assert all(event.mode == "custom" for event in before if event.seq in lost)
    assert [event for event in after if event.seq <= cut] == [
        event for event in before if event.seq not in lost
    ]
