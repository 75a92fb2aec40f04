"""Entrypoints that wait for a time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from penstock.runtime import (
    RetryPolicy,
    asleep,
    entrypoint,
    get_stream_writer,
    interrupt,
    sleep,
    task,
)
from penstock.runtime.errors import InterruptTimeoutError
from tests.faults.support.flows import executed

PATIENT = RetryPolicy(initial_interval=1.0, jitter=False, max_attempts=3, retry_on=KeyError)


@task
def quick(name: str) -> str:
    executed(name=name)
    return name


def fail_at_first(failures: int) -> int:
    """Fails so often, counted in a file, as each try may be in another process.

    The file has one byte for each failure: an append is done whole or not at all when the process
    is killed.
    """
    executed()
    count = Path(os.environ["PENSTOCK_TEST_JOURNAL"] + ".flaky")
    failed = count.stat().st_size if count.exists() else 0
    if failed < failures:
        with count.open("a") as file:
            file.write(".")
        raise KeyError(failed)
    return failed


@task(retry_policy=PATIENT)
def flaky(failures: int) -> int:
    return fail_at_first(failures)


@task(retry_policy=PATIENT)
async def aflaky(failures: int) -> int:
    return fail_at_first(failures)


@entrypoint()
def retries(failures: int) -> list[Any]:
    return [quick("before").result(), flaky(failures).result(), quick("after").result()]


@entrypoint()
async def aretries(failures: int) -> list[Any]:
    return [await quick("before"), await aflaky(failures), await quick("after")]


@entrypoint()
def nap(seconds: float) -> str:
    quick("before").result()
    sleep(seconds)
    return quick("after").result()


@entrypoint()
async def anap(seconds: float) -> str:
    await quick("before")
    await asleep(seconds)
    return await quick("after")


@task
def napping(seconds: float) -> float:
    sleep(seconds)
    return seconds


@entrypoint()
def naps(seconds: list[float]) -> list[float]:
    return [future.result() for future in [napping(each) for each in seconds]]


@entrypoint()
def asks(told: dict[str, Any]) -> Any:
    """Ask with a time limit, then go on."""
    if "default" in told:
        answer = interrupt("well?", timeout=told["timeout"], default=told["default"])
    else:
        try:
            answer = interrupt("well?", timeout=told["timeout"])
        except InterruptTimeoutError:
            answer = "nobody"
    get_stream_writer()(answer)
    quick("after").result()
    return answer
