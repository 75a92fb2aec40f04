"""Plays a program on a worker in memory, or in process, and holds it against what must hold."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, TypeAlias, cast

from penstock.runtime import Command, RedisSaver
from penstock.runtime.errors import ResumeError, RunFailedError
from penstock.runtime.settings import Settings
from penstock.runtime.testing import InMemoryWorker
from penstock.runtime.testing.crash import Mortal, recorded_steps
from penstock.runtime.types.interrupt import Interrupt
from penstock.runtime.types.run import RunStatus
from tests.support.branching.invariants import Watch
from tests.support.branching.oracle import FAILED, answer_to
from tests.support.branching.program import Node, Tree, branching
from tests.support.branching.steps import PlannedError, remote
from tests.support.branching.trace import traces

Script: TypeAlias = Sequence[tuple[str, int]]

NAP: Final = 10.0
"""Seconds of a nap on a worker, where they pass at once."""

SHORT_NAP: Final = 0.01
"""Seconds of a nap in process, where they are slept."""

MOST_TURNS: Final = 300

SETTINGS: Final = dataclasses.replace(Settings(), crashes=1000)


class Game:
    """One run of a program on a worker in memory, and whoever answers it, lets it wait or dies."""

    def __init__(self, tree: Tree) -> None:
        self.worker = InMemoryWorker([branching], tasks=[remote], settings=SETTINGS)
        self.run = self.worker.client.enqueue(
            branching, {"tree": tree, "nap": NAP}, durability="sync"
        )
        self.trace = traces[self.run.run_id]
        self.watch = Watch(Node(tree, "p", NAP), self.trace)
        self._passed, self._began = 0.0, time.monotonic()
        self.trace.clock = self._clock

    def _clock(self) -> float:
        return self._passed + time.monotonic() - self._began

    def play(self, script: Script) -> None:
        """Do what the script says, then answer and wait until the run is over; check all along."""
        acts: dict[str, Callable[[int], object]] = {
            "work": lambda _: self.worker.work(),
            "answer": self._answer,
            "answers": lambda _: self._answer_all(),
            "wait": lambda number: self._advance(number * NAP / 2 + 0.1),
            "crash": self._crash,
            "eager": self._answer_at_work,
        }
        try:
            for act, number in script:
                acts[act](number)
                self._look()
            self._finish()
            self.watch.check_end(self._result())
        finally:
            del traces[self.run.run_id]
            self.worker.close()

    # -- what is done -----------------------------------------------------------------------------

    def _asked(self) -> list[Interrupt]:
        if self.run.status() is not RunStatus.SUSPENDED:
            return []
        client = self.worker.client
        asked = client.do(client.plans.interrupts(self.run.run_id))
        return sorted(asked, key=lambda each: str(each.value))

    def _answer(self, number: int) -> None:
        if asked := self._asked():
            one = asked[number % len(asked)]
            self._resume({one.id: answer_to(one.value)})
            self.worker.work()

    def _answer_all(self) -> None:
        if asked := self._asked():
            self._resume({each.id: answer_to(each.value) for each in asked})
            self.worker.work()

    def _answer_at_work(self, number: int) -> None:
        """Answer one question, and let another one be answered from within the next step."""
        asked = self._asked()
        if len(asked) < 2:
            return
        one, other = asked[number % len(asked)], asked[(number + 1) % len(asked)]
        self._resume({one.id: answer_to(one.value)})

        def act() -> None:
            with suppress(ResumeError):  # it is not asked any more
                self._resume({other.id: answer_to(other.value)})

        self.trace.as_a_step_begins = act
        self.worker.work()
        self.trace.as_a_step_begins = None

    def _resume(self, answers: dict[str, str]) -> None:
        self.run.resume(answers)

    def _advance(self, seconds: float) -> None:
        self._passed += seconds
        self.worker.advance(seconds)

    def _crash(self, steps: int) -> None:
        target = len(self._recorded()) + steps
        self.worker.work(lambda _: Mortal(self.worker, self.run.run_id, target))
        leases: Any = self.worker.connection.zcard(self.worker.client.plans.keys.leases)
        if leases:  # of the run, or of those that perform its steps on other queues
            self.watch.crashed(self._recorded())
            self._advance(self.worker.settings.lease)

    def _recorded(self) -> list[str]:
        return recorded_steps(self.worker, self.run.run_id)

    # -- what is seen -----------------------------------------------------------------------------

    def _look(self) -> None:
        info = self.run.info()
        if info.status is RunStatus.SUSPENDED:
            asked = {str(each.value) for each in self._asked()}
            self.watch.check_suspended(asked, info.wakes_at is not None)

    def _finish(self) -> None:
        for _ in range(MOST_TURNS):
            self.worker.work()
            if self.run.status() not in (
                RunStatus.QUEUED,
                RunStatus.RUNNING,
                RunStatus.SUSPENDED,
            ):
                return
            if self._asked():
                self._answer_all()
            else:
                self._advance(NAP)
            self._look()
        raise AssertionError(f"the run does not end: {self.run.info()}")

    def _result(self) -> Any:
        twice = sorted({name for name in self._recorded() if self._recorded().count(name) > 1})
        assert not twice, f"recorded more than once: {twice}"
        try:
            return self.run.result(0)
        except RunFailedError as error:
            if type(error.__cause__) is not PlannedError:
                raise
            return FAILED


def play_in_process(tree: Tree, script: Script, saver: RedisSaver) -> None:
    """Play a program in this process; of the script only the answers count."""
    flow = branching.copy({"checkpointer": saver})
    config = {"configurable": {"thread_id": f"thread-{time.monotonic_ns()}"}}
    known = set(traces)
    numbers = [number if act == "answer" else -1 for act, number in script]
    watch: Watch | None = None
    value: Any = {"tree": tree, "nap": SHORT_NAP}
    try:
        for turn in range(MOST_TURNS):
            try:
                result = asyncio.run(flow.ainvoke(value, config))
            except PlannedError:
                result = FAILED
            if watch is None:
                (run_id,) = set(traces) - known
                watch = Watch(Node(tree, "p", SHORT_NAP), traces[run_id], sleeps_here=True)
            asked = _questions(result)
            if not asked:
                watch.check_end(result)
                return
            watch.check_suspended({str(each.value) for each in asked}, None)
            number = numbers[turn] if turn < len(numbers) else -1
            chosen = asked if number < 0 else [asked[number % len(asked)]]
            value = Command(resume={each.id: answer_to(each.value) for each in chosen})
    finally:
        for run_id in set(traces) - known:
            del traces[run_id]
    raise AssertionError("the run does not end")


def _questions(result: Any) -> list[Interrupt]:
    if not isinstance(result, dict):
        return []
    found = cast("dict[str, list[Interrupt]]", result).get("__interrupt__", [])
    return sorted(found, key=lambda each: str(each.value))
