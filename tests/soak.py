"""Hundreds of runs while everything breaks: `python -m tests.soak [--seconds 600] [--seed 7]`.

Four worker processes under two supervisors, one of them behind a proxy; every two seconds something
random, or two things at once, is killed, stopped, drained, cut off, frozen or restarted, or gets
another version of the code, one of which lacks an entrypoint. Clients enqueue, answer, cancel and
replace runs, and follow them; some runs are random programs whose branches wait beside others. At
the end every run has the result that plain Python comes to, no step was recorded or executed again,
and those who followed a run have seen all of it, in order. The seed decides what is done when; what
it hits depends on the machine.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import redis

from penstock.publisher.errors import RedisUnavailableError
from tests.faults.support.invariants import Checker
from tests.faults.support.journeys import executed_again
from tests.faults.support.traffic import Traffic
from tests.faults.support.trouble import Trouble
from tests.faults.support.workers import Fleet
from tests.support.server import RedisServer
from tests.support.until import until

OPTIONS: Final = (
    # Written with each command: with "everysec" Redis writes later while its disk is slow, so that
    # a killed one loses what it has said, which followers may have seen.
    *("--appendonly", "yes", "--appendfsync", "no"),
    *("--lua-time-limit", "60000"),  # the checker reads all keys in one script
)

EVERY: Final = 2.0
PACE: Final = 0.2
"""Seconds between two turns of the clients: some five runs a second, which one look can hold."""

LAST: Final = 60.0
"""Seconds for the runs that are left when nothing breaks any more."""

LOOK: Final = 15
"""So many rounds of trouble are between two looks at the invariants."""


@dataclass(slots=True)
class Report:
    """What happened, and what is wrong with it."""

    seed: int
    runs: int = 0
    followed: int = 0
    attempts: int = 0
    statuses: Counter[str] = field(default_factory=Counter[str])
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
        ends = ", ".join(f"{count} {status}" for status, count in self.statuses.most_common())
        faults = ", ".join(f"{count} x {name}" for name, count in self.faults.most_common())
        return (
            f"seed {self.seed}: {self.runs} runs ({ends}; {self.followed} followed), "
            f"{self.attempts} of their attempts were lost; a new one began after {half:.1f} s "
            f"(p50), {most:.1f} s (p99)\nfaults: {faults}\n"
            + ("\n".join(self.wrong) or "nothing is wrong")
        )


class Soak:
    """One server, its workers, the clients, and what breaks them."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.report = Report(seed)
        self._folder = folder
        self._ended = threading.Event()

    def run(self, seconds: float) -> Report:
        """Break things for so long, then let all come to its end, and look."""
        seed = self.report.seed
        with RedisServer(*OPTIONS) as server:
            fleet = Fleet(server.url, self._folder)
            trouble = Trouble(server, fleet, random.Random(seed))
            traffic = Traffic(server.url, random.Random(seed + 1))
            checker = Checker(server.client(socket_timeout=60))
            asking = threading.Thread(target=self._ask, args=[traffic])
            try:
                asking.start()
                self._break(trouble, checker, seconds)
                self._ended.set()
                asking.join()
                trouble.relent(wholly=True)
                self._settle(traffic, trouble, fleet)
                self._look(traffic, checker, fleet)
            finally:
                self._ended.set()
                asking.join()
                fleet.close()
                trouble.close()
                traffic.close()
            self.report.faults = trouble.faults
        return self.report

    def _ask(self, traffic: Traffic) -> None:
        while not self._ended.wait(PACE):
            try:
                traffic.turn()
            except RedisUnavailableError:
                continue
            except Exception as error:
                self.report.wrong.append(f"a client was told {error!r}")

    def _break(self, trouble: Trouble, checker: Checker, seconds: float) -> None:
        end = time.monotonic() + seconds
        rounds = 0
        while time.monotonic() < end:
            time.sleep(EVERY)
            trouble.relent()
            trouble.strike()
            rounds += 1
            if rounds % LOOK == 0:
                with suppress(redis.RedisError):
                    self._check(checker)

    def _check(self, checker: Checker) -> None:
        try:
            checker.check()
        except AssertionError as error:
            self.report.wrong += str(error).splitlines()

    def _settle(self, traffic: Traffic, trouble: Trouble, fleet: Fleet) -> None:
        def over() -> bool:
            trouble.relent()  # a group may end yet that was started while Redis was away
            with suppress(RedisUnavailableError, redis.RedisError):
                return traffic.is_over()
            return False

        try:
            until(over, LAST, "runs that are over", every=0.2)
        except AssertionError as error:
            self.report.wrong += [str(error), *traffic.unfinished(), *fleet.last_words()]

    def _look(self, traffic: Traffic, checker: Checker, fleet: Fleet) -> None:
        report = self.report
        report.runs, report.followed = traffic.asked, len(traffic.followers)
        try:
            now = checker.check(over=True)
        except AssertionError as error:
            report.wrong += str(error).splitlines()
            return
        report.statuses = Counter(run["status"] for run in now.runs().values())
        report.attempts = traffic.attempts()
        report.wrong += executed_again(now, fleet.journal())
        report.wrong += traffic.wrong(now)
        report.pauses = pauses(fleet)


def pauses(fleet: Fleet) -> list[float]:
    """Return how long runs stood still between two attempts, in seconds."""
    found: list[float] = []
    last: dict[str, tuple[int, float]] = {}
    for line in fleet.journal():
        attempt, when = last.get(line["run"], (line["attempt"], line["time"]))
        if line["attempt"] > attempt:
            found.append(line["time"] - when)
        if line["attempt"] >= attempt:  # a zombie counts for nothing
            last[line["run"]] = line["attempt"], line["time"]
    return found


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
