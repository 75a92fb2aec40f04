"""A process that runs a workflow itself dies between any two of its calls to Redis."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from tests.faults.support.invariants import Checker
from tests.faults.support.local import EXPECTED, go_on, toured
from tests.faults.support.workers import QUICK, Fleet
from tests.support.server import RedisServer
from tests.support.until import until

pytestmark = pytest.mark.timeout(240)

CALLS: Final = {
    "recover:1": {},
    "enqueue:1": {},
    "acquire:1": {},
    "record:1": {},
    "suspend:1": {},
    "wake:1": {"wake": True},
    "acquire:2": {"wake": True},
    "suspend:2": {"wake": True},
    "resume:1": {},
    "acquire:3": {"wake": True},
    "record:2": {},
    "renew:1": {},
    "finish:1": {},
}
"""Calls of such a process, and what else it does on its way."""

POINTS: Final = {
    f"{when}:{call}": told
    for call, told in CALLS.items()
    for when in ("before", "after")
    if (when, call) != ("after", "recover:1")  # which mostly brings nothing, and does not count
}


class Ended:
    """What became of each process, and of the workflow it ran."""

    def __init__(self) -> None:
        self.codes: Mapping[str, int] = {}
        self.results: dict[str, Any] = {}
        self.executions: dict[str, int] = {}


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ended]:
    folder = tmp_path_factory.mktemp("in-process")
    ended = Ended()
    with RedisServer("--appendonly", "yes") as server:
        fleet = Fleet(server.url, folder)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {"PENSTOCK_REDIS": server.url, **QUICK}.items():
                patch.setenv(name, value)
            patch.setenv("PENSTOCK_TEST_JOURNAL", str(fleet.journal_file))
            try:
                ended.codes = die(fleet, folder)
                checker = Checker(server.client())
                checker.check()
                workflow = toured()
                for point in POINTS:
                    ended.results[point] = until(partial(go_on, workflow, point), 20, point, 0.1)
                runs = checker.check(over=True).runs()
                for run_id, run in runs.items():
                    twice = [times for times in fleet.executions(run_id).values() if times > 1]
                    ended.executions[run["thread"]] = len(twice)
                yield ended
            finally:
                fleet.close()


def die(fleet: Fleet, folder: Path) -> Mapping[str, int]:
    """Let a process die at each point; returns the exit codes."""
    roles = folder / "roles.json"
    plays = [
        {"name": str(number), "role": "invoke", "point": point, "told": {"thread": point, **told}}
        for number, (point, told) in enumerate(POINTS.items())
    ]
    roles.write_text(json.dumps(plays))
    environ = {"PENSTOCK_REDIS": fleet.url, "PENSTOCK_TEST_NAP": "1.2", **QUICK}
    mother = fleet.run(
        [sys.executable, "-m", "tests.faults.support.killpoints", str(roles)], environ
    )
    assert mother.wait(60) == 0, mother.text()
    pids = dict(line.split() for line in Path(f"{roles}.pids").read_text().splitlines())
    codes = dict(line.split() for line in Path(f"{roles}.ends").read_text().splitlines())
    return {point: int(codes[pids[str(number)]]) for number, point in enumerate(POINTS)}


@pytest.mark.parametrize("point", POINTS)
def test_a_run_in_process_goes_on_in_another_process(ended: Ended, point: str) -> None:
    assert ended.codes[point] == -9
    assert ended.results[point] == EXPECTED
    assert ended.executions[point] <= 1  # at most the step that was not recorded when it died
