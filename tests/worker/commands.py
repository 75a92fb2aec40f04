"""Running `penstock` in tests: in this process, or as a program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from penstock.worker.cli import main

FLOWS = '''
import asyncio, time
from penstock.runtime import entrypoint, get_stream_writer, interrupt, task

@task
def double(x):
    return 2 * x

@task
def quadruple(x):
    return double(double(x).result()).result()

@task
def explode(x):
    raise ValueError(f"no {x}")

@entrypoint()
def main(inputs: dict) -> int:
    """Doubles x."""
    write = get_stream_writer()
    write("Started processing")
    result = double(inputs["x"]).result()
    write(f"Result is {result}")
    return result

@entrypoint()
def nested(x: int) -> int:
    return quadruple(x).result()

@entrypoint()
def fails(x: int) -> None:
    explode(x).result()

@entrypoint()
def ask(question: str) -> list:
    double(1).result()
    return [interrupt(question), interrupt({"really": question})]

@task
def poll(question):
    return interrupt(question)

@entrypoint()
def vote(question: str) -> list:
    return [vote.result() for vote in [poll(question), poll(question)]]

@entrypoint()
def approve(question: str) -> bool:
    return interrupt(question, response_schema=bool)

@entrypoint()
async def nap(seconds: float) -> float:
    get_stream_writer()("sleeping")
    await asyncio.sleep(seconds)
    return seconds
'''


def penstock(*arguments: str, url: str = "", stdin: str | None = None) -> Result:
    """Run a command in this process."""
    env = {"PENSTOCK_REDIS_URL": url or None, "PENSTOCK_APP": None}
    result = CliRunner().invoke(main, arguments, input=stdin, env=env)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def rows(result: Result) -> list[dict[str, Any]]:
    """The JSON objects that a command printed, one a line."""
    assert result.stderr == "", result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def refused(result: Result) -> str:
    """The one sentence with which a command refused, which is all it said."""
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    label, _, sentence = result.stderr.rstrip("\n").partition(" ")
    assert label == "error:"
    assert "\n" not in sentence
    return sentence


def program(*arguments: str) -> list[str]:
    """The command line that runs a command as a program."""
    return [sys.executable, "-m", "penstock.worker.cli", *arguments]


def environment(url: str) -> dict[str, str]:
    """An environment with this Redis, and no other setting of Penstock's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK")}
    return kept | {"PENSTOCK_REDIS_URL": url, "PYTHONUNBUFFERED": "1"}


def work(folder: Path, url: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Let a worker execute what is queued."""
    (folder / "flows.py").write_text(FLOWS)
    return subprocess.run(
        program("worker", "flows.py", "--burst", *options),
        cwd=folder,
        env=environment(url),
        capture_output=True,
        text=True,
        timeout=60,
    )
