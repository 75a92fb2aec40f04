"""Hundreds of runs while everything breaks: `python -m tests.soak [--seconds 600] [--seed 7]`.

Four worker processes under two supervisors; every two seconds something random is killed, stopped,
drained, cut off or restarted. At the end every run has the result that plain Python comes to, no
step was recorded or executed again, and those who followed a run have seen all of it, in order. The
seed decides what is done when; what it hits depends on the machine.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import redis

from penstock.publisher.errors import RedisUnavailableError
from penstock.runtime import Client
from penstock.runtime.errors import ResumeError
from penstock.runtime.settings import Settings
from tests.faults.support.invariants import Checker
from tests.faults.support.journeys import Journey, answer_to, executed_again, oracle
from tests.faults.support.storm import APP, Listener
from tests.faults.support.until import until
from tests.faults.support.workers import Fleet, WorkerProcess
from tests.support.server import RedisServer

EVERY: Final = 2.0
OPEN: Final = 40
"""Runs that are under way at once, about."""

FOLLOWED: Final = 4
"""Of so many runs one is followed from before it exists."""

LAST: Final = 60.0
"""Seconds for the runs that are left when nothing breaks any more."""

ENVIRON: Final = {"PENSTOCK_LEASE": "2", "PENSTOCK_RENEW": "0.5", "PENSTOCK_CRASHES": "1000"}
"""Here innocent runs die often, and are not to be given up for it."""


@dataclass(slots=True)
class Report:
    """What happened, and what is wrong with it."""

    seed: int
    runs: int = 0
    followed: int = 0
    attempts: int = 0
    faults: Counter[str] = field(default_factory=Counter[str])
    pauses: list[float] = field(default_factory=list[float])
    """Seconds from the last sign of an attempt to the first of the next."""
    wrong: list[str] = field(default_factory=list[str])

    def __str__(self) -> str:
        self.pauses.sort()
        half, most = (
            (self.pauses[int(len(self.pauses) * part)] for part in (0.5, 0.99))
            if self.pauses
            else (0.0, 0.0)
        )
        faults = ", ".join(f"{count} x {name}" for name, count in self.faults.most_common())
        return (
            f"seed {self.seed}: {self.runs} runs ({self.followed} followed), {self.attempts} of "
            f"their attempts were lost; a new one began after {half:.1f} s (p50), {most:.1f} s "
            f"(p99)\nfaults: {faults}\n" + ("\n".join(self.wrong) or "nothing is wrong")
        )


class Soak:
    """One server, its workers, a client that asks and answers, and what breaks them."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.report = Report(seed)
        self._chance = random.Random(seed)
        self._work = random.Random(seed + 1)
        self._folder = folder
        self._server = RedisServer("--appendonly", "yes", "--appendfsync", "everysec")
        self._journeys: dict[str, Journey] = {}
        self._listeners: dict[str, Listener] = {}
        self._groups: list[WorkerProcess] = []
        self._stopped: dict[int, float] = {}
        self._ended = threading.Event()

    def run(self, seconds: float) -> Report:
        """Break things for so long, then let all come to its end, and look."""
        with self._server as server:
            self._raw = server.client(socket_timeout=5)
            self._fleet = Fleet(server.url, self._folder)
            self._client = Client(server.url, settings=Settings(redis=server.url))
            try:
                self._groups = [self._start(), self._start()]
                asking = threading.Thread(target=self._ask_and_answer)
                asking.start()
                self._break_things(seconds)
                self._ended.set()
                asking.join()
                self._settle()
                self._look()
            finally:
                self._ended.set()
                self._fleet.close()
                self._client.close()
        return self.report

    def _start(self) -> WorkerProcess:
        return self._fleet.start(app=APP, processes=2, environ=ENVIRON, ready=False, grace=5.0)

    # -- the work -------------------------------------------------------------------------------

    def _ask_and_answer(self) -> None:
        while not self._ended.wait(0.05):
            with suppress(RedisUnavailableError):
                self._answer()
                if sum(len(self._client.runs(each, 100)) for each in ("queued", "running")) < OPEN:
                    self._enqueue()

    def _enqueue(self) -> None:
        number = len(self._journeys)
        run_id = f"soak-{number}"
        work = self._work
        journey = Journey(
            seed=number,
            width=work.randint(1, 6),
            questions=work.choice([0, 0, 1, 2]),
            seconds=work.choice([0.0, 0.05, 0.3, 1.0]),
        )
        if number % FOLLOWED == 0:
            self._listeners[run_id] = Listener(self._server.url, run_id)
        self._journeys[run_id] = journey
        entrypoint = work.choice(["walk", "awalk"])
        durability: Any = work.choice(["async", "sync"])
        thread = f"thread-{number}" if work.random() < 0.5 else None
        self._persist(
            lambda: self._client.enqueue(
                entrypoint,
                journey.model_dump(),
                run_id=run_id,
                thread_id=thread,
                durability=durability,
            )
        )

    def _persist(self, act: Callable[[], Any]) -> None:
        """Do it, as often as it takes."""
        deadline = time.monotonic() + LAST
        while True:
            try:
                act()
                return
            except RedisUnavailableError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def _answer(self) -> None:
        for run in self._client.runs("suspended", 200):
            handle = self._client.get(run.run_id)
            asked = cast("dict[str, Any]", handle.result(1)).get("__interrupt__", ())
            with suppress(ResumeError):  # its answer was lost on the way back
                handle.resume({each.id: answer_to(each.value) for each in asked})

    # -- the trouble ----------------------------------------------------------------------------

    def _break_things(self, seconds: float) -> None:
        acts: list[tuple[int, Callable[[], None]]] = [
            (6, self._kill_a_process),
            (4, self._stop_a_process),
            (3, self._drain_a_group),
            (2, self._kill_a_group),
            (4, self._cut_a_connection),
            (2, self._cut_all_connections),
            (2, self._lose_tickets),
            (1, self._restart_redis),
            (1, self._crash_redis),
        ]
        weights, choices = [weight for weight, _ in acts], [act for _, act in acts]
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(EVERY)
            self._let_go_on()
            act = self._chance.choices(choices, weights)[0]
            with suppress(redis.RedisError, ProcessLookupError):
                act()
                self.report.faults[act.__name__.strip("_").replace("_", " ")] += 1

    def _worker_pids(self) -> list[int]:
        keys = cast("set[bytes]", self._raw.smembers("rq:workers"))
        pids = [cast("bytes | None", self._raw.hget(key.decode(), "pid")) for key in sorted(keys)]
        return [int(pid) for pid in pids if pid is not None]

    def _kill_a_process(self) -> None:
        os.kill(self._chance.choice(self._worker_pids() or [0x3FFFFF]), signal.SIGKILL)

    def _stop_a_process(self) -> None:
        pid = self._chance.choice(self._worker_pids() or [0x3FFFFF])
        os.kill(pid, signal.SIGSTOP)
        self._stopped[pid] = time.monotonic() + self._chance.choice([0.5, 4.0, 8.0])

    def _let_go_on(self, *, all_of_them: bool = False) -> None:
        for pid, due in list(self._stopped.items()):
            if all_of_them or due < time.monotonic():
                del self._stopped[pid]
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def _drain_a_group(self) -> None:
        index = self._chance.randrange(len(self._groups))
        old, self._groups[index] = self._groups[index], self._start()
        old.cont()
        old.term()

    def _kill_a_group(self) -> None:
        index = self._chance.randrange(len(self._groups))
        self._groups[index].kill()
        self._groups[index] = self._start()

    def _cut_a_connection(self) -> None:
        clients = self._raw.client_list()
        self._raw.client_kill_filter(_id=self._chance.choice(clients)["id"])

    def _cut_all_connections(self) -> None:
        kind = self._chance.choice(["normal", "pubsub"])
        self._raw.client_kill_filter(_type=kind, skipme=True)

    def _lose_tickets(self) -> None:
        self._raw.delete("rq:queue:default")

    def _restart_redis(self) -> None:
        self._server.restart()

    def _crash_redis(self) -> None:
        self._server.kill()
        self._server.start()

    # -- the end --------------------------------------------------------------------------------

    def _settle(self) -> None:
        self._let_go_on(all_of_them=True)

        def over() -> bool:
            with suppress(RedisUnavailableError, redis.RedisError):
                self._answer()
                return not any(
                    self._client.runs(each, 1) for each in ("queued", "running", "suspended")
                )
            return False

        try:
            until(over, LAST, "runs that are over", every=0.2)
        except AssertionError as error:
            self.report.wrong.append(str(error))

    def _look(self) -> None:
        report = self.report
        report.runs, report.followed = len(self._journeys), len(self._listeners)
        checker = Checker(self._raw)
        try:
            now = checker.check(over=True)
        except AssertionError as error:
            report.wrong += str(error).splitlines()
            return
        report.wrong += executed_again(now, self._fleet.journal())
        for run_id, journey in self._journeys.items():
            run = self._client.get(run_id)
            report.attempts += run.info().attempt - 1
            result = run.result(1)
            if result != oracle(journey):
                report.wrong.append(f"run {run_id} came to {result}, not {oracle(journey)}")
        for run_id, listener in self._listeners.items():
            seen = [(event.seq, event.mode, event.attempt) for event in listener.all()]
            stored = [(entry.seq, entry.mode, entry.attempt) for entry in now.events(run_id)]
            if seen != stored:
                report.wrong.append(f"I15 run {run_id}: seen {seen}, stored {stored}")
        self._measure()

    def _measure(self) -> None:
        last: dict[str, tuple[int, float]] = {}
        for line in self._fleet.journal():
            attempt, when = last.get(line["run"], (line["attempt"], line["time"]))
            if line["attempt"] > attempt:
                self.report.pauses.append(line["time"] - when)
            if line["attempt"] >= attempt:  # a zombie counts for nothing
                last[line["run"]] = line["attempt"], line["time"]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    told = parser.parse_args(arguments)
    print(f"seed {told.seed}, {told.seconds:.0f} seconds", flush=True)
    warnings.filterwarnings("ignore", "no live worker has announced")
    with tempfile.TemporaryDirectory(prefix="penstock-soak-") as folder:
        report = Soak(told.seed, Path(folder)).run(told.seconds)
    print(report)
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
