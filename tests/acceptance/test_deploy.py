"""Deploys under open runs, by real workers: what was recorded is not executed by another name."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Protocol

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


class Work(Protocol):
    """Lets a worker with some code execute what is queued."""

    def __call__(self, code: str, version: str = "", /) -> list[str]: ...


@pytest.fixture
def deploy(tmp_path: Path, redis_url: str) -> Work:
    """Let a worker with some code execute what is queued; returns what has been done so far."""

    def work(code: str, version: str = "") -> list[str]:
        (tmp_path / "flows.py").write_text(code)
        subprocess.run(
            program("worker", "flows.py", "--burst"),
            cwd=tmp_path,
            env=environment(redis_url)
            | {"PYTHONDONTWRITEBYTECODE": "1", "PENSTOCK_VERSION": version},
            capture_output=True,
            timeout=60,
            check=True,
        )
        return (tmp_path / "done.txt").read_text().split()

    return work


@pytest.mark.parametrize("flow", ["order", "orders"])
def test_a_task_that_was_renamed_executes_nothing_again(
    deploy: Work, redis_url: str, flow: str
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


def test_a_step_that_is_left_out_fails_the_run_that_has_it(deploy: Work, redis_url: str) -> None:
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
    deploy: Work, redis_url: str
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


PATCHED = (
    RENAMED.replace("interrupt, task", "interrupt, patched, task")
    .replace("@task\ndef charge_card", '@task(was="charge")\ndef charge_card')
    .replace("[charge_card(x).result(),", "[charge_card(x).result(), *taxed(x),")
    + """
@task
def tax(x: int) -> int:
    done("tax")
    return x

def taxed(x):
    return [tax(x).result()] if patched("tax") else []
"""
)


@pytest.mark.parametrize("order", ["onon", "nono", "noon"])
def test_f103_f104_old_and_new_code_take_turns(deploy: Work, redis_url: str, order: str) -> None:
    """A run of two questions begins with either code, and each attempt may be of the other."""
    twice = 'interrupt("ship?"), interrupt("sure?")'
    codes = {
        letter: code.replace('interrupt("ship?")', twice)
        for letter, code in (("o", FLOWS), ("n", PATCHED))
    }
    with Client(redis_url) as client:
        run = client.enqueue("order", 5)
        done: list[str] = []
        for release in order:
            done = deploy(codes[release])
            if run.status() == "suspended":
                run.resume("yes")
            elif run.status() == "failed":  # rolled back past a step that only the new code has
                assert release == "o"
                assert "tax" in done
                run.resume()
        if run.status() != "completed":
            done = deploy(codes["n"])
        assert run.status() == "completed"
        assert sorted(set(done)) == sorted(done), "nothing is done twice"


def test_i34_a_pinned_run_waits_for_its_version(deploy: Work, redis_url: str) -> None:
    pinned = FLOWS.replace("@entrypoint()\ndef order(", "@entrypoint(pin=True)\ndef order(")
    with Client(redis_url) as client:
        run = client.enqueue("order", 5)
        deploy(pinned, "1")
        run.resume("yes")
        assert deploy(pinned, "2") == ["log", "charge"]
        assert run.status() == "queued"
        doctor = penstock("doctor", url=redis_url).output
        assert "pinned to version '1' of entrypoint 'order'" in doctor
        assert run.run_id in doctor
        assert "1, pinned" in penstock("show", run.run_id, url=redis_url).stdout
        assert deploy(pinned, "1") == ["log", "charge", "ship"]
        assert run.result(5) == [5, "yes", 5]
