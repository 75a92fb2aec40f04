"""What is void when a step is executed again: all it has said since it was last recorded."""

from __future__ import annotations

import pytest

from penstock.runtime.engine.attempt.uncommitted import UncommittedEvents


@pytest.fixture
def events() -> UncommittedEvents:
    events = UncommittedEvents()
    for seq, step_id in enumerate(["a:0", "a:0/b:0", "a:0", "a:0/b:1", "a:01", "", "a:0/b:0"], 3):
        events.add(step_id, seq)
    return events


def test_the_first_event_since_the_last_is_given_once(events: UncommittedEvents) -> None:
    assert events.take_back("a:0") == 3
    assert events.take_back("a:0") is None

    events.add("a:0", 20)

    assert events.take_back("a:0") == 20


def test_what_is_written_nowhere_is_not_taken_back(events: UncommittedEvents) -> None:
    events.add("c:0", 0)

    assert events.take_back("c:0") is None


def test_a_recorded_step_keeps_its_events_and_those_below_it(events: UncommittedEvents) -> None:
    events.keep("a:0")

    assert [events.take_back(each) for each in ("a:0", "a:0/b:0", "a:0/b:1")] == [None] * 3
    assert [events.take_back(each) for each in ("a:01", "")] == [7, 8]


def test_only_steps_that_came_to_an_end_are_void_with_the_one_above(
    events: UncommittedEvents,
) -> None:
    events.end("a:0/b:0")
    events.end("a:01")
    events.end("a:0/silent:0")

    assert events.ended_below("a:0") == ["a:0/b:0"]
    assert events.ended_below("") == ["a:0/b:0", "a:01"]


def test_a_step_that_began_again_has_not_ended(events: UncommittedEvents) -> None:
    events.end("a:0/b:0")
    events.take_back("a:0/b:0")
    events.add("a:0/b:0", 30)

    assert events.ended_below("a:0") == []
