"""Orders of operations on a run with several waits, of which later attempts give some up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.faults.support.protocol import Protocol
from tests.faults.support.schedules import begin


def a_question_that_is_withdrawn_takes_no_answer(protocol: Protocol) -> None:
    protocol.suspend(begin(protocol), 2)
    protocol.resume("run-0", {"i1": '"A"'})
    protocol.take("right", 1)
    protocol.suspend_for(protocol.held[-1], ["i2"], again=True)
    assert protocol.resume("run-0", {"i0": '"late"'}) == "unknown"
    assert protocol.resume("run-0", {"i0": '"late"', "i2": '"A"'}) == "unknown"
    assert protocol.resume("run-0", {"i2": '"A"'}) == "queued"


def an_answer_to_what_is_withdrawn_by_then_does_not_bring_the_run_back(protocol: Protocol) -> None:
    protocol.suspend(begin(protocol), 2)
    protocol.resume("run-0", {"i1": '"A"'})
    protocol.take("right", 1)
    assert protocol.resume("run-0", {"i0": '"at work"'}) == "queued"
    protocol.suspend_for(protocol.held[-1], ["i2"])
    assert protocol.world.runs["run-0"].status == "suspended"


def an_answer_at_work_to_what_is_still_asked_brings_the_run_back(protocol: Protocol) -> None:
    protocol.suspend(begin(protocol), 2)
    protocol.resume("run-0", {"i1": '"A"'})
    protocol.take("right", 1)
    assert protocol.resume("run-0", {"i0": '"at work"'}) == "queued"
    protocol.suspend_for(protocol.held[-1], ["i0", "i2"], again=True)
    assert protocol.world.runs["run-0"].status == "queued"
    protocol.take("left", 1)
    protocol.suspend_for(protocol.held[-1], ["i2"])
    assert protocol.resume("run-0", {"i2": '"A"'}) == "queued"


def a_question_at_work_takes_an_answer_until_it_is_closed(protocol: Protocol) -> None:
    held = begin(protocol)
    protocol.ask(held, ["i0", "i1"], [])
    protocol.ask(held, [], ["i1"])
    assert protocol.resume("run-0", {"i1": '"A"'}) == "running"
    assert protocol.resume("run-0", {"i0": '"A"'}) == "queued"


def a_run_that_failed_at_work_asks_nothing_when_it_goes_on(protocol: Protocol) -> None:
    held = begin(protocol)
    protocol.ask(held, ["i0"], [])
    protocol.finish(held, "failed")
    assert protocol.resume("run-0", {}) == "queued"
    assert protocol.resume("run-0", {"i0": '"A"'}) == "unknown"


def a_timer_that_is_withdrawn_wakes_nobody(protocol: Protocol) -> None:
    protocol.suspend(begin(protocol), 2, timed=True)
    protocol.resume("run-0", {"i1": '"A"'})
    protocol.take("right", 1)
    protocol.suspend_for(protocol.held[-1], ["i0"])
    protocol.let_be_due("run-0")
    protocol.recover()
    assert protocol.tickets() == []


def a_run_that_sleeps_on_alone_keeps_its_thread(protocol: Protocol) -> None:
    protocol.suspend(begin(protocol), 1, timed=True)
    protocol.resume("run-0", {"i0": '"A"'})
    protocol.take("right", 1)
    protocol.suspend_for(protocol.held[-1], [], timed=True)
    protocol.enqueue("run-1", "queue")
    assert protocol.world.runs["run-0"].status == "suspended"
    protocol.let_be_due("run-0")
    protocol.recover()
    assert protocol.tickets() == ["run-0"]


WAIT_SCHEDULES: Final[tuple[Callable[[Protocol], None], ...]] = (
    a_question_that_is_withdrawn_takes_no_answer,
    an_answer_to_what_is_withdrawn_by_then_does_not_bring_the_run_back,
    an_answer_at_work_to_what_is_still_asked_brings_the_run_back,
    a_question_at_work_takes_an_answer_until_it_is_closed,
    a_run_that_failed_at_work_asks_nothing_when_it_goes_on,
    a_timer_that_is_withdrawn_wakes_nobody,
    a_run_that_sleeps_on_alone_keeps_its_thread,
)
