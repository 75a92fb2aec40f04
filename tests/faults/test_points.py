"""Workers struck between any two of their calls to Redis: by death, by a pause, by a lost answer.

All points of a test are struck at the same time, each on a worker and a queue of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import pytest

from penstock.runtime import Client
from penstock.runtime.client.run import RunHandle
from penstock.runtime.types.run import RunStatus
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import QUICK, Fleet, WorkerProcess
from tests.support.until import reaches, until

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")

CALLS = ["pop:2", "take:1", "take:2", "record:1", "record:3", "suspend:1", "finish:1", "finish:2"]
STARTING = 60.0
"""Seconds for the starts of sixteen processes at once, each of which imports for more than one."""

POINTS = [f"{call}:{when}" for call, when in product(CALLS, ["before", "after"])]


@dataclass(frozen=True, slots=True)
class Victim:
    """A worker that is struck at a point, and what is done on its queue."""

    point: str
    worker: WorkerProcess
    walk: RunHandle
    """Has steps that are a flush apart."""
    ask: RunHandle
    later: RunHandle | None = None
    """Comes when the others are at work, as a ticket that is waited for."""


def strike(fleet: Fleet, client: Client, points: Iterable[str], what: str) -> list[Victim]:
    victims: list[Victim] = []
    for point in points:
        queue = point.replace(":", "-")
        fault = {"PENSTOCK_TEST_FAULT": f"{point}:{what}"}
        worker = fleet.start(queues=(queue,), environ={**QUICK, **fault}, ready=False)
        victims.append(
            Victim(
                point,
                worker,
                client.enqueue("asteps", {"steps": 4, "seconds": 0.05}, queue=queue),
                client.enqueue("ask", "well?", queue=queue),
            )
        )
    return [come_later(fleet, client, victim) for victim in victims]


def come_later(fleet: Fleet, client: Client, victim: Victim) -> Victim:
    """Let a worker that is struck at its second look at the queue have a reason for it."""
    if not victim.point.startswith("take:2"):
        return victim
    # On a busy machine the second of its runs may have come later already.
    until(
        lambda: fleet.journal(victim.walk.run_id) or is_struck(victim.worker),
        STARTING,
        victim.point,
    )
    queue = victim.point.replace(":", "-")
    return replace(victim, later=client.enqueue("main", {"x": 1}, queue=queue))


def relieve(fleet: Fleet, victims: Iterable[Victim]) -> None:
    fleet.start(queues=tuple(victim.point.replace(":", "-") for victim in victims))


def see_through(victims: Iterable[Victim]) -> None:
    """See all runs to their ends, answering those that ask."""
    for victim in victims:
        reaches(victim.ask, RunStatus.SUSPENDED, timeout=20, what=victim.point)
        victim.ask.resume("yes")
    for victim in victims:
        assert victim.ask.result(20) == [1, "yes", 2], victim.point
        assert victim.walk.result(20) == [0, 1, 2, 3], victim.point
        assert victim.later is None or victim.later.result(20) == 2, victim.point


def is_struck(process: WorkerProcess) -> bool:
    return not process.running or is_stopped(process)


def is_stopped(process: WorkerProcess) -> bool:
    with open(f"/proc/{process.pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "T"


def test_f01_to_f07_a_kill_at_any_point_loses_nothing(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    victims = strike(fleet, client, POINTS, "kill")
    dying = [victim for victim in victims if victim.point != "finish:2:before"]
    for victim in victims:
        if victim.point.startswith("finish:2"):  # its second end comes after an answer
            reaches(victim.ask, RunStatus.SUSPENDED, timeout=20, what=victim.point)
            victim.ask.resume("yes")
    for victim in dying:
        assert victim.worker.wait(STARTING) == -9, victim.point
    checker.check()

    relieve(fleet, victims)

    see_through([victim for victim in victims if not victim.point.startswith("finish:2")])
    for victim in victims:
        assert victim.ask.result(20) == [1, "yes", 2], victim.point
        assert victim.walk.result(20) == [0, 1, 2, 3], victim.point
    runs = checker.check(over=True).runs()
    for victim in victims:
        walk = runs[victim.walk.run_id]
        assert walk["attempt"] == walk["epoch"], f"{victim.point}: an attempt that never began"
        assert walk["attempt"] in ("1", "2"), victim.point


def test_f11_a_zombie_is_fenced_wherever_it_stopped(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    victims = strike(fleet, client, POINTS[:-2], "stop")
    for victim in victims:
        until(partial(is_stopped, victim.worker), STARTING, victim.point)

    relieve(fleet, victims)
    see_through(victims)
    before = checker.check(over=True)
    for victim in victims:
        victim.worker.cont()

    for victim in victims:
        again = client.enqueue("main", {"x": 1}, queue=victim.point.replace(":", "-"))
        assert again.result(10) == 2
    for victim in victims:
        victim.worker.term()
    for victim in victims:
        assert victim.worker.wait(20) == 0, victim.point
    now = checker.check(over=True)
    for run_id in before.runs():
        assert now.events(run_id) == before.events(run_id)


LOST = [
    *(point for point in POINTS if point.endswith("after")),
    *("renew:1:after", "recover:1:after", "record:2:after"),
]


@pytest.mark.parametrize(
    "points",
    [
        pytest.param([each for each in LOST if "take" not in each], id="writes"),
        pytest.param(
            [each for each in LOST if "take" in each],
            id="takes",
        ),
    ],
)
def test_f21_a_lost_answer_is_no_second_effect(
    fleet: Fleet, client: Client, checker: Checker, points: list[str]
) -> None:
    victims = strike(fleet, client, points, "lose")

    see_through(victims)

    for victim in victims:
        assert victim.worker.running, victim.point
        for run in (victim.walk, victim.ask):
            assert run.info().crashes == 0, victim.point
            assert run.info().attempt == 1, victim.point
        counts = fleet.executions(victim.walk.run_id)
        assert counts == {"": 1} | {f"astep:{n}": 1 for n in range(4)}, victim.point
        counts = fleet.executions(victim.ask.run_id)
        assert counts == {"": 2, "step:0": 1, "step:1": 1}, victim.point
    checker.check(over=True)


def test_f15_an_answer_lost_at_the_hand_over_is_no_second_effect(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    worker = fleet.start(environ={**QUICK, "PENSTOCK_TEST_FAULT": "handover:1:after:lose"})
    run = client.enqueue("asteps", {"steps": 40, "seconds": 0.05})
    fleet.executing(run.run_id, 3)

    worker.term()
    assert worker.wait() == 0
    checker.check()
    fleet.start()

    assert run.result(10) == list(range(40))
    assert run.info().attempt == 1
    assert max(fleet.executions(run.run_id).values()) <= 2
    checker.check(over=True)


def test_f08_a_kill_in_the_middle_of_a_recovery_leaves_it_to_others(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    first = fleet.start()
    run = client.enqueue("asteps", {"steps": 4, "seconds": 0.1})
    fleet.executing(run.run_id, 2)
    first.kill()
    points = ["recover:3:before", "recover:3:after", "recover:4:after"]
    dying = [
        fleet.start(environ={**QUICK, "PENSTOCK_TEST_FAULT": f"{point}:kill"}, queues=("other",))
        for point in points
    ]
    for worker in dying:
        assert worker.wait(20) == -9
    fleet.start()

    assert run.result(10) == [0, 1, 2, 3]
    assert run.info().attempt == 2
    checker.check(over=True)
