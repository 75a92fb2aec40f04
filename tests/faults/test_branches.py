"""Random programs whose branches wait beside others that work, on real workers that are killed."""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import tests.support.branching.program as library
from penstock.runtime import Client
from penstock.runtime.client.run import RunHandle
from penstock.runtime.errors import ResumeError, RunFailedError
from penstock.runtime.types.run import RunStatus
from tests.faults.support.invariants import Checker
from tests.faults.support.journeys import executed_again
from tests.faults.support.workers import QUICK, Fleet, WorkerProcess
from tests.support.branching.code import code_of
from tests.support.branching.generate import WAITING, programs
from tests.support.branching.oracle import FAILED, answer_to, is_right, nodes_of
from tests.support.branching.program import Node, Tree
from tests.support.until import Patience

pytestmark = [
    pytest.mark.filterwarnings("ignore:no live worker has announced"),
    pytest.mark.timeout(120),
]

ENVIRON = {**QUICK, "PENSTOCK_CRASHES": "1000", "PENSTOCK_PATIENCE": "0"}
NAP = 0.2
KILLS = 3
OVER = {RunStatus.COMPLETED, RunStatus.FAILED}

SEARCH = settings(
    max_examples=2,  # the first is the simplest there is
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


@given(
    trees=st.lists(programs((*WAITING, "remote")), min_size=12, max_size=12),
    seed=st.integers(0, 2**32),
)
@SEARCH
def test_branches_survive_the_deaths_of_their_workers(
    fleet: Fleet, client: Client, checker: Checker, trees: list[Tree], seed: int
) -> None:
    chance = random.Random(seed)
    workers = [start(fleet) for _ in range(2)]
    runs = enqueue(client, trees, chance)

    for _ in range(KILLS):
        time.sleep(chance.uniform(0.1, 0.5))
        victim = chance.randrange(len(workers))
        workers[victim].kill()
        checker.check()
        workers[victim] = start(fleet)
        answer_some(client, runs, chance)
    finish(client, runs, chance)

    for run, tree in zip(runs, trees, strict=True):
        check(run, tree, f"run {run.run_id}, seed {seed}")
    now = checker.check(over=True)
    assert list(executed_again(now, fleet.journal())) == []


@given(trees=st.lists(programs(), min_size=12, max_size=12), seed=st.integers(0, 2**32))
@SEARCH
def test_no_step_of_a_branch_is_begun_again_where_no_worker_dies(
    fleet: Fleet, client: Client, checker: Checker, trees: list[Tree], seed: int
) -> None:
    chance = random.Random(seed)
    for _ in range(2):
        start(fleet)
    runs = enqueue(client, trees, chance)

    finish(client, runs, chance)

    for run, tree in zip(runs, trees, strict=True):
        check(run, tree, f"run {run.run_id}, seed {seed}")
        begun = Counter(str(line["place"]) for line in fleet.journal(run.run_id))
        for place, times in begun.items():
            assert times <= most_tries(tree, place), (
                f"the step at {place} of run {run.run_id} was begun {times} times\n{told(tree)}"
            )
    checker.check(over=True)


def start(fleet: Fleet) -> WorkerProcess:
    return fleet.start(app=str(Path(library.__file__)), queues=("default", "far"), environ=ENVIRON)


def enqueue(client: Client, trees: list[Tree], chance: random.Random) -> list[RunHandle]:
    found: list[RunHandle] = []
    for tree in trees:
        durability: Any = chance.choice(["sync", "async"])
        given = {"tree": tree, "nap": NAP}
        found.append(client.enqueue("branching", given, durability=durability))
    return found


def answer_some(client: Client, runs: list[RunHandle], chance: random.Random) -> None:
    for run in runs:
        asked = client.do(client.plans.interrupts(run.run_id))
        chosen = asked if chance.random() < 0.3 else asked[:1]
        if chosen and run.status() not in OVER:
            try:
                run.resume({each.id: answer_to(each.value) for each in chosen})
            except ResumeError:  # nobody wants to know any more, as of just now
                continue


def finish(client: Client, runs: list[RunHandle], chance: random.Random) -> None:
    patience = Patience(60, "all runs are over")
    while left := [run for run in runs if run.status() not in OVER]:
        answer_some(client, left, chance)
        patience.look(0.05, [run.run_id for run in left])


def check(run: RunHandle, tree: Tree, which: str) -> None:
    result: Any = FAILED
    try:
        result = run.result(5)
    except RunFailedError as error:
        cause = type(error.__cause__).__name__
        assert cause == "PlannedError", f"{which}: {error}\n{told(tree)}"
    assert is_right(Node(tree, "p", NAP), result), f"{which} came to {result}\n{told(tree)}"


def most_tries(tree: Tree, place: str) -> int:
    node = next((node for node in nodes_of(Node(tree, "p", NAP)) if node.place == place), None)
    return node.tree[1] + 1 if node is not None and node.kind == "flaky" else 1


def told(tree: Tree) -> str:
    return code_of(Node(tree, "p", NAP))
