"""Flows with steps on a queue of their own, `far`, in the manner of `flows`."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

from pydantic import BaseModel

from penstock.runtime import RetryPolicy, entrypoint, get_runtime, get_stream_writer, task
from tests.faults.support.flows import executed


class Part(BaseModel):
    """What a step is given and gives back: values keep their types on the way."""

    number: int
    seconds: float = 0.0


@task
def near(number: int) -> int:
    executed()
    return number


@task(queue="far")
def far(part: Part, *, plus: tuple[int, ...] = ()) -> tuple[int, Part]:
    executed()
    write = get_stream_writer()
    write(f"far {part.number} begins")
    time.sleep(part.seconds)
    write(f"far {part.number} ends")
    return sum(plus), part


@task(queue="far")
async def afar(part: Part) -> int:
    executed()
    await asyncio.sleep(part.seconds)
    return await inner(part.number)


@task
async def inner(number: int) -> int:
    executed()
    return number


@task(queue="far")
def fails(message: str) -> None:
    executed()
    raise ValueError(message)


@task(queue="far", retry_policy=RetryPolicy(max_attempts=3, initial_interval=0.01, jitter=False))
def fails_twice(_: str) -> int:
    executed()
    tries = get_runtime().execution_info.step_attempt
    get_stream_writer()(f"try {tries}")
    if tries < 3:
        raise ConnectionError("again")
    return tries


@task(queue="far")
def kills(signum: int) -> None:
    executed()
    os.kill(os.getpid(), signum or signal.SIGKILL)


@task(queue="far")
def waits_for(file: str) -> str:
    """Waits for what the file says: a file that is being written exists before it says it."""
    executed()
    while not (said := Path(file).read_text() if Path(file).exists() else ""):
        time.sleep(0.01)
    return said


@entrypoint()
def one(part: Part) -> tuple[int, Part]:
    executed()
    near(part.number).result()
    return far(part, plus=(1, 2)).result()


@entrypoint()
async def aone(part: Part) -> tuple[int, Part]:
    executed()
    await near(part.number)
    return await far(part, plus=(1, 2))


@entrypoint()
def many(parts: list[Part]) -> list[int]:
    executed()
    futures = [far(part) for part in parts]
    here = [near(part.number).result() for part in parts]
    return [*here, *(future.result()[1].number for future in futures)]


@entrypoint()
async def amany(parts: list[Part]) -> list[int]:
    executed()
    return list(await asyncio.gather(*(afar(part) for part in parts)))


@entrypoint()
def failing(message: str) -> str:
    executed()
    try:
        fails(message).result()
    except ValueError as error:
        return f"survived {error}"
    return "?"


@entrypoint()
def dying(message: str) -> None:
    executed()
    fails(message).result()


@entrypoint()
def retrying(word: str) -> int:
    executed()
    return fails_twice(word).result()


@entrypoint()
def poisoned(signum: int) -> None:
    executed()
    kills(signum).result()


@entrypoint()
def waiting(file: str) -> str:
    executed()
    return waits_for(file).result()


def perform(number: int) -> int:
    executed()
    get_stream_writer()("performing")
    return number


far_0, far_1, far_2, far_3, far_4, far_5, far_6, far_7, far_8, far_9 = (
    task(perform, name=f"far_{number}", queue=f"far-{number}") for number in range(10)
)
FARS = (far_0, far_1, far_2, far_3, far_4, far_5, far_6, far_7, far_8, far_9)


@entrypoint()
def to(number: int) -> int:
    executed()
    near(number).result()
    return FARS[number](number).result()
