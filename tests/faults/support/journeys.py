"""Flows that have a bit of everything, and what they come to in plain Python."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from penstock.runtime import (
    RetryPolicy,
    asleep,
    entrypoint,
    get_runtime,
    get_stream_writer,
    interrupt,
    sleep,
    task,
)
from tests.faults.support.flows import executed
from tests.faults.support.snapshot import Snapshot

ROUNDED = 0.002
"""Events have their time to the millisecond."""

AGAIN = RetryPolicy(initial_interval=0.02, jitter=False, retry_on=ConnectionError)


class Journey(BaseModel):
    """How far to go."""

    seed: int
    width: int = 3
    questions: int = 0
    seconds: float = 0.02
    nap: float = 0.0
    """Seconds of sleep on the way, for which the run may leave its process."""


# -- the oracle ---------------------------------------------------------------------------------


def answer_to(question: Mapping[str, int]) -> int:
    """What a client answers."""
    return question["seed"] * 1000 + question["number"]


def oracle(journey: Journey) -> dict[str, Any]:
    """What a journey comes to."""
    seed = journey.seed
    answers = [seed * 1000 + number for number in range(journey.questions)]
    return {
        "fan": [(seed + n) ** 2 for n in range(journey.width)],
        "shaky": -seed,
        "nested": 2 * (seed % 4),
        "answers": answers,
        "sum": sum(answers) + journey.questions,
    }


def executed_again(now: Snapshot, journal: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """List executions of steps that had been recorded before."""
    recorded: dict[tuple[str, str], tuple[int, float]] = {}
    for run_id in now.runs():
        for entry in now.events(run_id):
            if entry.mode == "step.finished":
                step = str(entry.tree["data"]["id"])
                recorded[run_id, step] = entry.attempt, float(entry.tree["time"]) + ROUNDED
    for line in journal:
        place = line["run"], line["step"]
        # A zombie may still begin what a later attempt has recorded: it cannot know yet.
        if place in recorded and (line["attempt"], line["time"]) > recorded[place]:
            yield f"run {place[0]}: {place[1]} was executed again by attempt {line['attempt']}"


# -- the flows ----------------------------------------------------------------------------------


def _fail_once() -> None:
    info = get_runtime().execution_info
    folder = Path(os.environ["PENSTOCK_TEST_JOURNAL"]).parent / "failed"
    folder.mkdir(exist_ok=True)
    try:
        (folder / f"{info.run_id}-{info.step_id.replace('/', '_')}").touch(exist_ok=False)
    except FileExistsError:
        return
    raise ConnectionError("the first time it fails")


@task
def square(number: int, seconds: float) -> int:
    executed()
    time.sleep(seconds)
    return number * number


@task
async def asquare(number: int, seconds: float) -> int:
    executed()
    get_stream_writer()(f"squaring {number}")
    await asyncio.sleep(seconds)
    return number * number


@task(retry_policy=AGAIN)
def shaky(number: int) -> int:
    executed()
    get_stream_writer()(f"trying {number}")
    _fail_once()
    return -number


@task(retry_policy=AGAIN)
async def ashaky(number: int) -> int:
    executed()
    get_stream_writer()(f"trying {number}")
    _fail_once()
    return -number


@task
def nested(levels: int) -> int:
    executed()
    return 0 if levels == 0 else 2 + nested(levels - 1).result()


@task
async def anested(levels: int) -> int:
    executed()
    return 0 if levels == 0 else 2 + await anested(levels - 1)


@entrypoint()
def walk(journey: Journey) -> dict[str, Any]:
    executed()
    seed, write = journey.seed, get_stream_writer()
    futures = [square(seed + n, journey.seconds) for n in range(journey.width)]
    write({"asked": len(futures)})
    found: dict[str, Any] = {"fan": [future.result() for future in futures]}
    write(found)
    found["shaky"] = shaky(seed).result()
    if journey.nap:
        sleep(journey.nap)
    found["nested"] = nested(seed % 4).result()
    found["answers"], found["sum"] = [], 0
    for number in range(journey.questions):
        found["answers"].append(interrupt({"seed": seed, "number": number}))
        found["sum"] += found["answers"][-1] + square(1, journey.seconds).result()
    write("done")
    return found


async def _awalk(journey: Journey, square: Any, shaky: Any, nested: Any) -> dict[str, Any]:
    executed()
    seed, write = journey.seed, get_stream_writer()
    fan = [square(seed + n, journey.seconds) for n in range(journey.width)]
    found: dict[str, Any] = {"fan": list(await asyncio.gather(*fan))}
    write(found)
    found["shaky"] = await shaky(seed)
    if journey.nap:
        await asleep(journey.nap)
    found["nested"] = await nested(seed % 4)
    found["answers"], found["sum"] = [], 0
    for number in range(journey.questions):
        found["answers"].append(interrupt({"seed": seed, "number": number}))
        found["sum"] += found["answers"][-1] + await square(1, journey.seconds)
    write("done")
    return found


@entrypoint()
async def awalk(journey: Journey) -> dict[str, Any]:
    return await _awalk(journey, asquare, ashaky, anested)


far_square = task(asquare.function, name="far_square", queue="far")
far_shaky = task(ashaky.function, name="far_shaky", queue="far", retry_policy=AGAIN)
far_nested = task(anested.function, name="far_nested", queue="far")


@entrypoint()
async def roam(journey: Journey) -> dict[str, Any]:
    """Has its steps performed on another queue."""
    return await _awalk(journey, far_square, far_shaky, far_nested)
