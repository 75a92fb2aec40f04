"""Random programs on real workers that are killed all the time come to what plain Python says."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import tests.support.programs as library
from penstock.runtime import Client
from penstock.runtime.client.run import RunHandle
from penstock.runtime.errors import ResumeError, RunFailedError
from penstock.runtime.types.run import RunStatus
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import QUICK, Fleet, WorkerProcess
from tests.support.programs import Tree, answer_to, oracle, programs
from tests.support.until import Patience

pytestmark = [
    pytest.mark.filterwarnings("ignore:no live worker has announced"),
    pytest.mark.timeout(120),
]

ENVIRON = {**QUICK, "PENSTOCK_CRASHES": "1000", "PENSTOCK_PATIENCE": "0"}
KILLS = 6


@given(trees=st.lists(programs, min_size=24, max_size=24), seed=st.integers(0, 2**32))
@settings(
    max_examples=3,  # the first is the simplest there is
    deadline=None,
    derandomize=False,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
def test_random_programs_survive_the_deaths_of_their_workers(
    fleet: Fleet, client: Client, checker: Checker, trees: list[Tree], seed: int
) -> None:
    chance = random.Random(seed)
    workers = [start(fleet) for _ in range(2)]
    runs: list[RunHandle] = []
    for number, tree in enumerate(trees):
        durability: Any = chance.choice(["sync", "async"])
        name = "aprogram" if number % 2 else "program"
        runs.append(client.enqueue(name, tree, durability=durability))

    for _ in range(KILLS):
        time.sleep(chance.uniform(0.05, 0.5))
        victim = chance.randrange(len(workers))
        workers[victim].kill()
        checker.check()
        workers[victim] = start(fleet)
        answer_some(client, runs, chance)
    finish(client, runs)

    for run, tree in zip(runs, trees, strict=True):
        assert outcome(run) == oracle(tree), f"run {run.run_id}, seed {seed}: {tree}"
    checker.check(over=True)


def start(fleet: Fleet) -> WorkerProcess:
    return fleet.start(app=str(Path(library.__file__)), environ=ENVIRON)


def answer_some(client: Client, runs: list[RunHandle], chance: random.Random) -> None:
    for run in runs:
        if run.status() is RunStatus.SUSPENDED:
            asked = client.do(client.plans.interrupts(run.run_id))
            chosen = asked if chance.random() < 0.5 else asked[:1]
            if chosen:
                try:
                    run.resume({each.id: answer_to(each.value) for each in chosen})
                except ResumeError:  # it came back by itself just now, and will ask again
                    continue


def finish(client: Client, runs: list[RunHandle]) -> None:
    patience = Patience(60, "all runs are over")
    chance = random.Random(0)
    over = {RunStatus.COMPLETED, RunStatus.FAILED}
    while left := [run for run in runs if run.status() not in over]:
        answer_some(client, left, chance)
        patience.look(0.05, [run.run_id for run in left])


def outcome(run: RunHandle) -> Any:
    try:
        return run.result(5)
    except RunFailedError:
        return "failed"
