"""The lease, suspend and resume protocol on the real scripts: in orders thought of, and in any."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.faults.support.graph_schedules import GRAPH_SCHEDULES, Hosted
from tests.faults.support.machine import ProtocolMachine
from tests.faults.support.protocol import COVERED, QUEUE, Protocol
from tests.faults.support.remote_schedules import REMOTE_SCHEDULES, Remote, follow
from tests.faults.support.repeat_schedules import REPEAT_SCHEDULES
from tests.faults.support.schedules import SCHEDULES, ask, begin
from tests.faults.support.wait_schedules import WAIT_SCHEDULES
from tests.mutants import without_a_line
from tests.support.server import RedisServer

INTERESTING: Final = {
    "enqueue": "created busy exists",
    "enqueue again": "exists busy",
    "take": "0 1",
    "take a popped one": "1",
    "acquire": "claimed running cancelled",
    "record": "OK FENCED",
    "record again": "OK FENCED",
    "record late": "OK FENCED",
    "ask": "OK",
    "ask again": "OK",
    "suspend": "OK CANCELLED FENCED",
    "suspend again": "OK FENCED",
    "withdraw": "OK CANCELLED FENCED",
    "sleep": "OK CANCELLED FENCED",
    "sleep again": "OK FENCED",
    "handover": "OK FENCED",
    "handover again": "OK FENCED",
    "finish": "OK CANCELLED FENCED",
    "finish again": "OK FENCED",
    "renew": "OK CANCEL LOST",
    "cancel": "cancelled running",
    "resume": "queued answered unknown running",
    "resume again": "queued",
    "retry": "queued",
    "wake": "queued running",
    "recover": "queued given_up requeued cancelled woken",
    "report_death": "queued",
}
"""Answers that matter, by operation."""

ALONE: Final = (*SCHEDULES, *WAIT_SCHEDULES, *REPEAT_SCHEDULES)

WANTED: Final = {(op, word) for op, words in INTERESTING.items() for word in words.split()}

SEARCH: Final = settings(
    max_examples=200,
    stateful_step_count=40,
    deadline=None,
    database=None,
    derandomize=False,  # in CI hypothesis would search the same way each time, and see no more
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def client() -> Iterator[redis.Redis]:
    with RedisServer() as server:
        yield server.client()


@pytest.fixture
def protocol(client: redis.Redis) -> Protocol:
    return Protocol(client)


@pytest.mark.parametrize("schedule", ALONE, ids=[each.__name__ for each in ALONE])
def test_schedule(protocol: Protocol, schedule: Callable[[Protocol], None]) -> None:
    schedule(protocol)

    protocol.check()
    protocol.end()


@pytest.mark.parametrize(
    "schedule", REMOTE_SCHEDULES, ids=[each.__name__ for each in REMOTE_SCHEDULES]
)
def test_schedule_of_a_remote_step(client: redis.Redis, schedule: Callable[[Remote], None]) -> None:
    follow(schedule, client)


@pytest.mark.parametrize(
    "schedule", GRAPH_SCHEDULES, ids=[each.__name__ for each in GRAPH_SCHEDULES]
)
def test_schedule_of_the_state_of_a_graph(
    client: redis.Redis, schedule: Callable[[Hosted], None]
) -> None:
    schedule(Hosted(client))


def test_the_schedules_meet_every_answer_that_matters(client: redis.Redis) -> None:
    COVERED.clear()

    for schedule in ALONE:
        schedule(Protocol(client))

    assert not sorted(pair for pair in WANTED if not COVERED[pair])


@pytest.mark.timeout(300)  # it does as much on a slow machine as on a quick one
def test_scripts_and_model_agree_in_any_order(client: redis.Redis) -> None:
    ProtocolMachine.client = client
    COVERED.clear()

    run_state_machine_as_test(ProtocolMachine, settings=SEARCH)

    missed = sorted(pair for pair in WANTED if not COVERED[pair])
    assert len(missed) <= len(WANTED) / 4, f"a search that meets so little means little: {missed}"


def test_an_answer_delivered_late_changes_nothing(protocol: Protocol) -> None:
    ask(protocol)
    protocol.resume("run-0", {"i0": '"A"'})
    answer = protocol.sent[-1]
    protocol.take("left", 1)
    protocol.suspend(protocol.held[-1], 1)

    protocol.deliver(answer, "late")

    protocol.check()


def test_a_bell_for_a_run_that_waits_for_its_turn_is_ignored(protocol: Protocol) -> None:
    begin(protocol)
    protocol.enqueue("run-1", "queue")
    protocol.client.rpush(protocol.keys.queue(QUEUE), "run-1")

    assert protocol.take("right", 1) == "0"

    protocol.check()


def test_a_waiting_run_does_not_go_on_without_an_answer(protocol: Protocol) -> None:
    ask(protocol)

    assert protocol.resume("run-0", {}) == "suspended"


def test_each_mutant_has_something_to_change() -> None:
    assert without_a_line() == []
