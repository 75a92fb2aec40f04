"""Random programs, crashed and answered at random moments, come to what plain Python says."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from penstock.runtime.errors import RunFailedError
from penstock.runtime.settings import Settings
from penstock.runtime.testing import InMemoryWorker
from penstock.runtime.testing.crash import Mortal, recorded_steps
from penstock.runtime.types.run import RunStatus
from tests.support import programs as library
from tests.support.programs import Tree, answer_to, aprogram, executed, oracle, program, programs

PATIENT = dataclasses.replace(Settings(), crashes=1000)


class ProgramMachine(RuleBasedStateMachine):
    """One program, its worker's deaths, and whoever answers.

    What is drawn does not depend on how far the run is, which is never quite the same twice.
    """

    def __init__(self) -> None:
        super().__init__()
        self.worker = InMemoryWorker([program, aprogram], settings=PATIENT)
        self.tree: Tree = []
        self.known: dict[str, int] = {}

    @initialize(tree=programs, which=st.sampled_from([program, aprogram]))
    def begin(self, tree: Tree, which: Any) -> None:
        self.tree = tree
        durability: Any = "sync" if len(str(tree)) % 2 else "async"
        self.run = self.worker.client.enqueue(which, tree, durability=durability)

    @property
    def over(self) -> bool:
        return self.run.status() not in (
            RunStatus.QUEUED,
            RunStatus.RUNNING,
            RunStatus.SUSPENDED,
        )

    @rule(do=st.integers(0, 5))
    def work(self, do: int) -> None:
        if do == 0:  # else nothing would be left to crash
            self.worker.work()

    @rule(steps=st.sampled_from([1, 1, 2, 3]))
    def crash(self, steps: int) -> None:
        target = len(self.recorded()) + steps
        self.worker.work(lambda _: Mortal(self.worker, self.run.run_id, target))
        if self.run.status() is RunStatus.RUNNING:
            self.remember()
            self.worker.advance(self.worker.settings.lease)

    @rule(index=st.integers(0, 5), everything=st.booleans())
    def answer(self, index: int, everything: bool) -> None:
        plans = self.worker.client.plans
        asked = self.worker.client.do(plans.interrupts(self.run.run_id))
        if asked and not everything:
            asked = [asked[index % len(asked)]]
        if asked and self.run.status() is RunStatus.SUSPENDED:
            self.run.resume({each.id: answer_to(each.value) for each in asked})

    @rule()
    def wait(self) -> None:
        if self.run.status() is RunStatus.SUSPENDED:
            self.worker.advance(1.0)

    def recorded(self) -> list[str]:
        return recorded_steps(self.worker, self.run.run_id)

    def remember(self) -> None:
        """What is recorded now must not be executed again."""
        for name in self.recorded():
            key = f"{self.run.run_id} {name}"
            self.known.setdefault(key, executed[key])

    def teardown(self) -> None:
        if not self.tree:
            return
        for _ in range(200):
            if self.over:
                break
            self.worker.advance(1.0)
            plans = self.worker.client.plans
            asked = self.worker.client.do(plans.interrupts(self.run.run_id))
            if self.run.status() is RunStatus.SUSPENDED and asked:
                self.run.resume({each.id: answer_to(each.value) for each in asked})
        self.check()
        self.worker.close()

    def check(self) -> None:
        assert self.over, f"{self.tree} is still {self.run.status()}"
        try:
            found = self.run.result(0)
        except RunFailedError as error:
            found = "failed"
            assert type(error.__cause__) is library.PlannedError, error
        assert found == oracle(self.tree)
        twice = [name for name, times in Counter(self.recorded()).items() if times > 1]
        assert not twice, f"recorded more than once: {twice}"
        for name, times in self.known.items():
            assert executed[name] == times, f"{name} was executed again, though it was recorded"


def test_random_programs_come_to_what_plain_python_says() -> None:
    run_state_machine_as_test(
        ProgramMachine,
        settings=settings(
            max_examples=150,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
