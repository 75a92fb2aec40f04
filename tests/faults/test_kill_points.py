"""Each place between two calls to Redis: a process dies or freezes there, others go on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.support.storm import Found, Point, Storm
from tests.support.server import RedisServer

pytestmark = [
    pytest.mark.filterwarnings("ignore:no live worker has announced"),
    pytest.mark.timeout(240),
]

POINTS = (
    # enqueue: nothing is there, or all of it
    Point("before:enqueue:1", "ask", "enqueue", attempts=1),
    Point("after:enqueue:1", "ask", "enqueue", attempts=1),
    # take: a ticket off the list is no run lost
    Point("before:take:1", attempts=1),
    Point("after:take:1"),
    Point("before:pop:1", late=True, attempts=1),
    Point("after:pop:1", late=True, attempts=1),
    Point("after:take:1", entrypoint="walk", late=True),
    # record: start, steps and events, over several flushes
    Point("before:record:1"),
    Point("after:record:1"),
    Point("before:record:2"),
    Point("after:record:2"),
    Point("before:record:3", entrypoint="walk"),
    Point("after:record:3", entrypoint="walk"),
    Point("before:record:5", seconds=0.1),
    Point("after:record:5", entrypoint="walk", seconds=0.1),
    # suspend and resume
    Point("before:suspend:1", questions=1),
    Point("after:suspend:1", questions=1, attempts=1),
    Point("after:suspend:1", entrypoint="walk", questions=2, attempts=1),
    Point("before:resume:1", "ask", "resume", questions=2, attempts=1),
    Point("after:resume:1", "ask", "resume", questions=2, attempts=1),
    Point("before:resume:1", "command", "resume", questions=1, attempts=1),
    Point("after:resume:1", "command", "resume", questions=1, attempts=1),
    Point("before:wake:1", "ask", "wake", questions=1, attempts=1),
    Point("after:wake:1", "ask", "wake", questions=1, attempts=1),
    # announce
    Point("before:announce:1", attempts=1),
    Point("after:announce:1", attempts=1),
    # cancel
    Point("before:cancel:1", "ask", "cancel", questions=1, attempts=1),
    Point("after:cancel:1", "ask", "cancel", "walk", questions=1, attempts=1),
    Point("after:cancel:1", "ask", "cancel", seconds=60.0, attempts=1),
    # finish
    Point("before:finish:1"),
    Point("after:finish:1", attempts=1),
    Point("before:finish:1", entrypoint="walk"),
    # renew and recover
    Point("before:renew:2", seconds=3.0),
    Point("after:renew:2", entrypoint="walk", seconds=3.0),
    Point("before:recover:2", seconds=3.0),
    Point("after:recover:1", "sweep", attempts=1),
    Point("before:report_death:1", seconds=1.0, late=True, orphans=True),
    Point("after:report_death:1", seconds=1.0, late=True, orphans=True),
    # drain
    Point("before:handover:1", seconds=1.5, late=True, term=True),
    Point("after:handover:1", seconds=1.5, late=True, term=True, attempts=1),
    Point("after:handover:1", entrypoint="walk", seconds=1.5, late=True, term=True, attempts=1),
)


@pytest.fixture(scope="module", params=["SIGKILL", "SIGSTOP"])
def found(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Found]:
    folder: Path = tmp_path_factory.mktemp(request.param)
    with RedisServer("--appendonly", "yes") as server:
        storm = Storm(POINTS, server.url, server.client(), folder)
        try:
            yield storm.run(request.param)
        finally:
            storm.close()


@pytest.mark.parametrize("number", range(len(POINTS)), ids=[point.key for point in POINTS])
def test_nothing_is_lost_and_nothing_done_twice(found: Found, number: int) -> None:
    point = POINTS[number]

    assert point.key in found.struck
    assert found.results[point.key] == point.expected(number)
    assert found.attempts[point.key] == point.attempts
    assert [line for line in found.broken if f"run {point.key}" in line] == []


def test_all_invariants_hold(found: Found) -> None:
    assert found.broken == []
