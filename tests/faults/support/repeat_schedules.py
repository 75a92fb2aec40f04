"""Orders in which something is said again, or by a worker that has lost the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.faults.support.protocol import Protocol
from tests.faults.support.schedules import begin
from tests.faults.support.world import Held


def lose(protocol: Protocol) -> Held:
    """A claim whose run another worker has by now."""
    lost = begin(protocol)
    protocol.expire("run-0")
    protocol.recover()
    protocol.take("right", 1)
    return lost


def an_enqueue_is_repeated(protocol: Protocol) -> None:
    assert protocol.enqueue("run-0", "queue", again=True) == "created"
    assert protocol.enqueue("run-0", "queue") == "exists"


def an_enqueue_that_finds_the_thread_busy_is_repeated(protocol: Protocol) -> None:
    begin(protocol)
    assert protocol.enqueue("run-1", "reject", again=True) == "busy"


def a_ticket_that_was_popped_is_taken(protocol: Protocol) -> None:
    protocol.enqueue("run-0", "queue")
    assert protocol.take("left", 1, popped=True) == "1"


def a_question_at_work_is_repeated(protocol: Protocol) -> None:
    assert protocol.ask(begin(protocol), ["i0"], [], again=True) == "OK"


def a_sleep_is_repeated(protocol: Protocol) -> None:
    assert protocol.suspend(begin(protocol), 0, timed=True, again=True) == "OK"


def a_cancelled_run_does_not_sleep(protocol: Protocol) -> None:
    held = begin(protocol)
    protocol.cancel("run-0")
    assert protocol.suspend(held, 0, timed=True, again=True) == "CANCELLED"


def a_run_at_work_is_woken(protocol: Protocol) -> None:
    begin(protocol)
    assert protocol.wake("run-0", again=True) == "running"


def a_worker_that_lost_a_run_repeats_itself(protocol: Protocol) -> None:
    lost = lose(protocol)
    assert protocol.record(lost, again=True) == "FENCED"
    assert protocol.suspend(lost, 1, again=True) == "FENCED"
    assert protocol.suspend(lost, 0, timed=True, again=True) == "FENCED"
    assert protocol.handover(lost, again=True) == "FENCED"
    assert protocol.finish(lost, "completed", again=True) == "FENCED"


def a_record_that_redis_had_comes_again_after_the_run_was_lost(protocol: Protocol) -> None:
    held = begin(protocol)
    protocol.record(held)
    sent = protocol.sent[-1]
    protocol.expire("run-0")
    protocol.recover()
    protocol.take("right", 1)
    protocol.deliver(sent, "late")


def a_run_that_is_to_be_cancelled_is_so_though_its_worker_is_lost(protocol: Protocol) -> None:
    begin(protocol)
    protocol.cancel("run-0")
    protocol.expire("run-0")
    protocol.recover()
    assert protocol.world.runs["run-0"].status == "cancelled"


def the_run_of_a_dead_worker_is_queued(protocol: Protocol) -> None:
    begin(protocol)
    protocol.recover("left")
    assert protocol.tickets() == ["run-0"]


def a_cancelled_run_withdraws_no_question(protocol: Protocol) -> None:
    held = _ask_one_and_go_on(protocol)
    protocol.cancel("run-0")
    assert protocol.suspend_for(held, ["i2"]) == "CANCELLED"


def a_worker_that_lost_a_run_withdraws_no_question(protocol: Protocol) -> None:
    held = _ask_one_and_go_on(protocol)
    protocol.expire("run-0")
    protocol.recover()
    assert protocol.suspend_for(held, ["i2"]) == "FENCED"


def _ask_one_and_go_on(protocol: Protocol) -> Held:
    """A claim of a run that has asked i1 before, and got an answer to i0 alone."""
    protocol.suspend(begin(protocol), 2)
    protocol.resume("run-0", {"i0": '"A"'})
    protocol.take("right", 1)
    return protocol.held[-1]


REPEAT_SCHEDULES: Final[tuple[Callable[[Protocol], None], ...]] = (
    an_enqueue_is_repeated,
    an_enqueue_that_finds_the_thread_busy_is_repeated,
    a_ticket_that_was_popped_is_taken,
    a_question_at_work_is_repeated,
    a_sleep_is_repeated,
    a_cancelled_run_does_not_sleep,
    a_run_at_work_is_woken,
    a_worker_that_lost_a_run_repeats_itself,
    a_record_that_redis_had_comes_again_after_the_run_was_lost,
    a_run_that_is_to_be_cancelled_is_so_though_its_worker_is_lost,
    the_run_of_a_dead_worker_is_queued,
    a_cancelled_run_withdraws_no_question,
    a_worker_that_lost_a_run_withdraws_no_question,
)
