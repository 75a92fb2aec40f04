"""Deploys under open runs, by real workers: what was recorded is not executed by another name."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.runtime import Client
from penstock.runtime.errors import RunFailedError
from tests.worker.commands import environment, penstock, program, refused

pytestmark = [
    pytest.mark.open_runs,
    pytest.mark.filterwarnings("ignore:no live worker has announced"),
]

FLOWS = """
import asyncio
from pathlib import Path
from penstock.runtime import entrypoint, interrupt, task

def done(what):
    with Path("done.txt").open("a") as file:
        print(what, file=file)

@task
def charge(x: int) -> int:
    done("charge")
    return x

@task
def log(x: int) -> int:
    done("log")
    return x

@task
def ship(x: int) -> int:
    done("ship")
    return x

@entrypoint()
def order(x: int) -> list:
    log(x).result()
    return [charge(x).result(), interrupt("ship?"), ship(x).result()]

async def branch(x: int) -> list:
    return [await charge(x), interrupt(f"ship {x}?")]

@entrypoint()
async def orders(x: int) -> list:
    return await asyncio.gather(branch(x), branch(x + 1))
"""

RENAMED = FLOWS.replace("charge(x", "charge_card(x").replace('done("charge")', 'done("card")')
LEFT_OUT = FLOWS.replace("    log(x).result()\n", "")
NAMED = RENAMED.replace("@task\ndef charge_card", '@task(name="charge")\ndef charge_card')


@pytest.fixture
def deploy(tmp_path: Path, redis_url: str) -> Callable[[str], list[str]]:
    """Let a worker with some code execute what is queued; returns what has been done so far."""

    def work(code: str) -> list[str]:
        (tmp_path / "flows.py").write_text(code)
        subprocess.run(
            program("worker", "flows.py", "--burst"),
            cwd=tmp_path,
            env=environment(redis_url) | {"PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            timeout=60,
            check=True,
        )
        return (tmp_path / "done.txt").read_text().split()

    return work


@pytest.mark.parametrize("flow", ["order", "orders"])
def test_a_task_that_was_renamed_executes_nothing_again(
    deploy: Callable[[str], list[str]], redis_url: str, flow: str
) -> None:
    with Client(redis_url) as client:
        run = client.enqueue(flow, 5)
        before = deploy(FLOWS)
        assert "charge" in before
        answers = {each.id: "yes" for each in run.result(5)["__interrupt__"]}
        run.resume(answers)

        assert deploy(RENAMED) == before
        with pytest.raises(RunFailedError, match=r"ReplayError.*task 'charge'.*charge_card:0"):
            run.result(5)

        run.resume()
        assert deploy(NAMED)[: len(before)] == before
        assert run.result(5) is not None
        assert run.status() == "completed"


def test_a_step_that_is_left_out_fails_the_run_that_has_it(
    deploy: Callable[[str], list[str]], redis_url: str
) -> None:
    with Client(redis_url) as client:
        run = client.enqueue("order", 5)
        assert deploy(FLOWS) == ["log", "charge"]
        run.resume("yes")

        assert deploy(LEFT_OUT) == ["log", "charge", "ship"]
        with pytest.raises(RunFailedError, match=r"ReplayError.*'order' ended without.*'log:0'"):
            run.result(5)

        run.resume()
        assert deploy(FLOWS) == ["log", "charge", "ship"]
        assert run.result(5) == [5, "yes", 5]


def test_an_operator_lets_a_record_stand_drops_it_or_forks_the_run(
    deploy: Callable[[str], list[str]], redis_url: str
) -> None:
    with Client(redis_url) as client:
        runs = [client.enqueue("order", 5, run_id=f"r{number}") for number in range(3)]
        before = deploy(FLOWS)
        for run in runs:
            run.resume("yes")
        deploy(LEFT_OUT)

        shown = penstock("show", "r0", url=redis_url).stdout
        assert "--accept 'log:0'" in shown
        said = refused(penstock("resume", "r0", "--accept", "pay:0", url=redis_url))
        assert "it has recorded 'charge:0', 'log:0'" in said
        penstock("resume", "r0", "--accept", "log:0", url=redis_url)
        penstock("resume", "r1", "--forget", "log:0", url=redis_url)
        made = penstock("fork", "r2", "--after", "log:0", "--json", url=redis_url).stdout
        fork = client.get(json.loads(made)["run_id"])

        assert deploy(LEFT_OUT)[len(before) :] == ["ship"] * 3 + ["charge"]
        assert [run.result(5) for run in runs[:2]] == [[5, "yes", 5]] * 2
        assert runs[2].status() == "failed"
        assert fork.result(5)["__interrupt__"]
