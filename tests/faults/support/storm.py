"""Many processes struck at once, each at a point of its own, and what became of their runs."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import redis

from penstock.publisher import subscribe
from penstock.publisher.event import Event
from penstock.runtime import Client
from penstock.runtime.errors import PenstockError, ResumeError
from penstock.runtime.settings import Settings
from penstock.runtime.types.run import RunStatus
from tests.faults.support import journeys
from tests.faults.support.invariants import Checker
from tests.faults.support.journeys import Journey, answer_to, executed_again, oracle
from tests.faults.support.snapshot import Snapshot
from tests.faults.support.workers import Fleet, WorkerProcess
from tests.support.until import Patience, until

APP: Final = str(journeys.__file__)
SHORT: Final = {"PENSTOCK_LEASE": "2", "PENSTOCK_RENEW": "0.4"}
PATIENCE: Final = 90.0
"""Seconds for what takes two on a machine that is not busy."""


@dataclass(frozen=True, slots=True)
class Point:
    """Where a process is struck, on the way of a run that gets there."""

    name: str
    """when:call:nth, as PENSTOCK_TEST_KILL has it."""
    role: str = "work"
    verb: str = ""
    entrypoint: str = "awalk"
    questions: int = 0
    seconds: float = 0.02
    late: bool = False
    """Whether the run comes when the worker is there already."""
    term: bool = False
    orphans: bool = False
    """Whether the process is a supervisor whose child dies."""
    attempts: int = 2
    """Attempts that the run takes; 1 where nothing was begun, or all was done."""

    @property
    def key(self) -> str:
        role = "" if self.role in ("work", "ask") else f"{self.role}-"
        return f"{role}{self.verb}{self.name}-{self.entrypoint}".replace(":", "-")

    def journey(self, number: int) -> Journey:
        return Journey(seed=number, questions=self.questions, seconds=self.seconds)

    def expected(self, number: int) -> Any:
        """What the run comes to, wherever it was struck."""
        return "RunCancelledError" if self.verb == "cancel" else oracle(self.journey(number))


class Listener:
    """Follows all facts of a run in a thread, from before it exists."""

    def __init__(self, url: str, run_id: str) -> None:
        self.events: list[Event] = []
        self._thread = threading.Thread(target=self._follow, args=[url, run_id], daemon=True)
        self._thread.start()

    def _follow(self, url: str, run_id: str) -> None:
        with subscribe(run_id, connection=url) as events:
            for event in events:
                self.events.append(event)

    def all(self) -> list[Event]:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the terminal event never came"
        return self.events


@dataclass(slots=True)
class Found:
    """What a storm left."""

    struck: set[str] = field(default_factory=set[str])
    results: dict[str, Any] = field(default_factory=dict[str, Any])
    attempts: dict[str, int] = field(default_factory=dict[str, int])
    broken: list[str] = field(default_factory=list[str])


class Storm:
    """One Redis, one mother of victims, one survivor."""

    def __init__(self, points: Sequence[Point], url: str, raw: redis.Redis, folder: Path) -> None:
        self.points = points
        self.url = url
        self.raw = raw
        self.fleet = Fleet(url, folder)
        self.folder = folder
        self.client = Client(url, settings=Settings(redis=url))
        self.checker = Checker(raw)
        self.found = Found()
        self.listeners = {each.key: Listener(url, each.key) for each in points}

    def run(self, signum: str) -> Found:
        """Strike everywhere, let a survivor go on, and check it all."""
        for number, point in enumerate(self.points):
            if not point.late and point.verb != "enqueue":
                self.enqueue(number, point)
        self.fleet.start(app=APP, queues=("healthy",), environ=SHORT)
        asked = [point.key for point in self.points if point.verb in ("resume", "wake")]
        until(lambda: all(self._waits(key) for key in asked), PATIENCE, "questions")
        mother, pids = self._strike(signum)
        self._check()
        before = Snapshot.take(self.raw)
        self._repeat()
        self.fleet.start(app=APP, queues=tuple(point.key for point in self.points), environ=SHORT)
        self._answer_all()
        after = self._check(over=True)
        self._compare(before, after)
        if signum == "SIGSTOP":
            self._wake(pids, after)
        mother.close()
        self._read()
        return self.found

    def enqueue(self, number: int, point: Point) -> None:
        queue = "healthy" if point.verb else point.key
        self.client.enqueue(
            point.entrypoint,
            point.journey(number).model_dump(),
            run_id=point.key,
            queue=queue,
            durability="sync" if ":record:" in point.name else "async",
        )

    # -- the strike -----------------------------------------------------------------------------

    def _strike(self, signum: str) -> tuple[WorkerProcess, Mapping[str, int]]:
        file = self.folder / "roles.json"
        file.write_text(json.dumps([self._role(*each) for each in enumerate(self.points)]))
        mother = self.fleet.run(
            [sys.executable, "-m", "tests.faults.support.killpoints", str(file)],
            {"PENSTOCK_REDIS": self.url, "PENSTOCK_TEST_SIGNAL": signum, **SHORT},
        )
        pids = Path(f"{file}.pids")

        def forked() -> bool:
            assert mother.running, mother.text()
            return pids.exists() and pids.read_text().count("\n") == len(self.points)

        until(forked, PATIENCE, "all processes")
        found = dict(line.split() for line in pids.read_text().splitlines())
        children = {key: int(pid) for key, pid in found.items()}
        self._provoke(children)
        patience = Patience(PATIENCE, "all are struck")
        while unstruck := self._unstruck(children):
            patience.look(0.05, unstruck)
        self.found.struck = {key for key, pid in children.items() if self._is_struck(pid)}
        return mother, children

    def _is_struck(self, pid: int) -> bool:
        if _state(pid) == "T":
            return True
        file = self.folder / "roles.json.ends"

        def ends() -> list[str]:
            lines = file.read_text().splitlines() if file.exists() else []
            return [line for line in lines if line.startswith(f"{pid} ")]

        return until(ends, PATIENCE, f"the end of {pid}") == [f"{pid} -9"]

    def _role(self, number: int, point: Point) -> dict[str, Any]:
        told: dict[str, Any] = {"app": [APP], "queues": [point.key], "name": point.key}
        if point.orphans:
            told |= {"processes": 1, "name": ""}
        if point.role in ("ask", "command"):
            told = {"verb": point.verb, "run_id": point.key}
        if point.verb == "wake":
            told["answer"] = {}
        if point.verb == "enqueue":
            told["entrypoint"], told["queue"] = point.entrypoint, "healthy"
            told["input"] = point.journey(number).model_dump()
        if point.verb == "resume":
            told["answer"] = answer_to({"seed": number, "number": 0})
        return {"name": point.key, "role": point.role, "told": told, "point": point.name}

    def _provoke(self, children: Mapping[str, int]) -> None:
        for number, point in enumerate(self.points):
            if point.late:
                until((self.folder / f"{point.key}.idle").exists, PATIENCE, "an idle worker")
                self.enqueue(number, point)
            # At once, one after another: who waited for all of them would find runs that are over.
            if point.orphans:
                line = self.fleet.executing(point.key, timeout=PATIENCE)
                os.kill(line["pid"], signal.SIGKILL)
            if point.term:
                self.fleet.executing(point.key, timeout=PATIENCE)
                log = self.folder / f"{point.key}.log"
                assert _state(children[point.key]) not in ("Z", ""), log.read_text()
                os.kill(children[point.key], signal.SIGTERM)

    def _unstruck(self, children: Mapping[str, int]) -> list[str]:
        return [key for key, pid in children.items() if _state(pid) not in ("T", "Z", "")]

    def _repeat(self) -> None:
        """Ask again for what a client died asking for."""
        for number, point in enumerate(self.points):
            if point.verb == "enqueue":
                self.enqueue(number, point)
            elif point.verb == "cancel":
                self.client.get(point.key).cancel()

    def _waits(self, key: str) -> bool:
        return self.client.get(key).status() is RunStatus.SUSPENDED

    # -- after it -------------------------------------------------------------------------------

    def _answer_all(self) -> None:
        patience = Patience(PATIENCE, "all are over")
        while waiting := [key for key in self.listeners if not self._is_over(key)]:
            patience.look(0.1, waiting)

    def _is_over(self, key: str) -> bool:
        run = self.client.get(key)
        status = run.status()
        if status is RunStatus.SUSPENDED:
            asked = run.result()["__interrupt__"]
            try:
                run.resume({each.id: answer_to(each.value) for each in asked})
            except ResumeError:
                return False  # another was quicker
        return status in (RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED)

    def _wake(self, pids: Mapping[str, int], before: Snapshot) -> None:
        """Let the zombies go on, end them, and see that they changed nothing."""
        for pid in pids.values():
            _signal(pid, signal.SIGCONT)
        marker = self.client.enqueue("awalk", {"seed": 1}, queue="healthy", run_id="marker")
        assert marker.result(PATIENCE) == oracle(Journey(seed=1))
        for point in self.points:
            if point.role not in ("ask", "command"):
                _signal(pids[point.key], signal.SIGTERM)
        until(lambda: all(_state(pid) in ("Z", "") for pid in pids.values()), PATIENCE)
        now = self._check(over=True)
        for point in self.points:
            if now.events(point.key) != before.events(point.key):
                self.found.broken.append(f"run {point.key}: a zombie has written")

    def _compare(self, before: Snapshot, after: Snapshot) -> None:
        journal = self.fleet.journal()
        self.found.broken += executed_again(after, journal)
        for run_id in before.runs():
            missing = before.checkpoints(run_id).keys() - after.checkpoints(run_id).keys()
            if missing:
                self.found.broken.append(f"run {run_id}: no longer recorded: {missing}")

    def _check(self, *, over: bool = False) -> Snapshot:
        try:
            return self.checker.check(over=over)
        except AssertionError as error:
            self.found.broken += str(error).splitlines()
        return Snapshot.take(self.raw)

    def _read(self) -> None:
        for point in self.points:
            run = self.client.get(point.key)
            self.found.attempts[point.key] = run.info().attempt
            try:
                self.found.results[point.key] = run.result(1)
            except PenstockError as error:
                self.found.results[point.key] = type(error).__name__
            try:
                self.checker.check_seen(point.key, self.listeners[point.key].all())
            except AssertionError as error:
                self.found.broken.append(f"run {point.key}: {error}")

    def close(self) -> None:
        self.fleet.close()
        self.client.close()


def _signal(pid: int, signum: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signum)


def _state(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # the second: reaped while being read
        return ""
