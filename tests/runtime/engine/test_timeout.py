"""How long a try of a body may take."""

from __future__ import annotations

import asyncio
import pickle
import threading
import time
from datetime import timedelta
from typing import Any

import pytest

from penstock.runtime import (
    RetryPolicy,
    StepTimeoutError,
    TimeoutPolicy,
    entrypoint,
    get_runtime,
    get_stream_writer,
    task,
)
from penstock.runtime.errors import ConfigurationError, PenstockError, Stop, WrongKindError
from tests.runtime.flows import Calls
from tests.support.drive import Drive

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")


@task
async def quick() -> None: ...


def test_the_error_says_what_was_over() -> None:
    @task(timeout=TimeoutPolicy(run_timeout=timedelta(seconds=0.02), idle_timeout=5))
    async def slow() -> None:
        await asyncio.sleep(10)

    @entrypoint()
    async def main(_: str) -> None:
        await slow()

    with pytest.raises(StepTimeoutError) as caught:
        asyncio.run(main.ainvoke("x"))

    error = caught.value
    assert (error.node, error.name, error.kind) == ("slow", "slow", "run")
    assert (error.timeout, error.run_timeout, error.idle_timeout) == (0.02, 0.02, 5.0)
    assert 0.02 <= error.elapsed < 5
    assert isinstance(error, PenstockError)
    assert not isinstance(error, TimeoutError)
    assert pickle.loads(pickle.dumps(error)).idle_timeout == 5.0


def test_a_timeout_is_an_outcome_that_replays(drive: Drive) -> None:
    calls = Calls()
    broken = ["yes"]

    @task(timeout=0.02)
    async def slow() -> None:
        calls("slow")
        await asyncio.sleep(10)

    @entrypoint()
    async def main(_: str) -> Any:
        with pytest.raises(StepTimeoutError) as caught:
            await slow()
        await quick()
        if broken:
            raise LookupError
        return [caught.value.kind, caught.value.run_timeout]

    with pytest.raises(LookupError):
        drive(main, "x")
    broken.clear()

    assert drive(main, None) == ["run", 0.02]
    assert calls.made == ["slow"]


@pytest.mark.parametrize("sign", ["event", "step", "heartbeat"])
@pytest.mark.parametrize("refresh_on", ["auto", "heartbeat"])
def test_signs_of_life_put_off_the_idle_timeout(sign: str, refresh_on: Any) -> None:
    def show() -> None:
        if sign == "event":
            get_stream_writer()("here")
        elif sign == "step":
            quick()
        else:
            get_runtime().heartbeat()

    @task(timeout=TimeoutPolicy(idle_timeout=0.2, refresh_on=refresh_on))
    async def busy() -> str:
        for _ in range(8):
            await asyncio.sleep(0.05)
            show()
        return "done"

    @entrypoint()
    async def main(_: str) -> str:
        return await busy()

    if refresh_on == "heartbeat" and sign != "heartbeat":
        with pytest.raises(StepTimeoutError) as caught:
            asyncio.run(main.ainvoke("x"))
        assert caught.value.kind == "idle"
    else:
        assert asyncio.run(main.ainvoke("x")) == "done"


def test_a_policy_without_limits_sets_none(drive: Drive) -> None:
    @task(timeout=TimeoutPolicy())
    async def work() -> str:
        return "done"

    @entrypoint(timeout=TimeoutPolicy())
    async def main(_: str) -> str:
        return await work()

    assert drive(main, "x") == "done"


@pytest.mark.parametrize("wrong", ["5", True, [5]])
def test_what_is_no_duration_is_refused_where_it_is_declared(wrong: Any) -> None:
    with pytest.raises(WrongKindError, match="a timeout is seconds, a timedelta or"):
        task(timeout=wrong)
    with pytest.raises(WrongKindError, match="a timeout is seconds, a timedelta or"):
        entrypoint(timeout=TimeoutPolicy(idle_timeout=wrong))


def test_a_limit_that_is_none_is_refused_where_it_is_declared() -> None:
    with pytest.raises(ConfigurationError, match="greater than 0, not nan"):
        task(timeout=float("nan"))
    wrong: Any = "always"
    with pytest.raises(ConfigurationError, match=r"refresh_on is .*not 'always'"):
        TimeoutPolicy(idle_timeout=1, refresh_on=wrong)


def test_signs_of_life_do_not_put_off_the_run_timeout() -> None:
    @task(timeout=TimeoutPolicy(run_timeout=0.05, idle_timeout=10))
    async def busy() -> None:
        while True:
            await asyncio.sleep(0.005)
            get_runtime().heartbeat()

    @entrypoint()
    async def main(_: str) -> None:
        await busy()

    with pytest.raises(StepTimeoutError) as caught:
        asyncio.run(main.ainvoke("x"))
    assert caught.value.kind == "run"


def test_each_try_has_its_own_time_and_the_default_policy_tries_again() -> None:
    calls = Calls()

    @task(timeout=0.1, retry_policy=RetryPolicy(initial_interval=0, jitter=False))
    async def slow() -> str:
        calls("try")
        await asyncio.sleep(10 if len(calls.made) < 3 else 0)
        return "third time"

    @entrypoint()
    async def main(_: str) -> str:
        return await slow()

    assert asyncio.run(main.ainvoke("x")) == "third time"
    assert len(calls.made) == 3


def test_code_that_swallows_its_cancellation_does_not_avoid_the_error() -> None:
    @task(timeout=0.02)
    async def stubborn() -> str:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            pass
        return "nothing happened"

    @entrypoint()
    async def main(_: str) -> str:
        return await stubborn()

    with pytest.raises(StepTimeoutError):
        asyncio.run(main.ainvoke("x"))


def test_a_sync_step_is_left_behind_where_there_is_a_loop(drive: Drive) -> None:
    over = threading.Event()
    late: list[Any] = []

    @task(timeout=0.05)
    def slow() -> str:
        over.wait(10)
        try:
            get_stream_writer()("late")
        except Stop as stop:
            late.append(type(stop))
            raise
        return "late"

    @entrypoint()
    def main(_: str) -> str:
        return slow().result()

    if drive.kind in ("invoke", "redis"):
        with pytest.raises(RuntimeError, match="timeout"):
            drive(main, "x")
        return
    try:
        with pytest.raises(StepTimeoutError):
            drive(main, "x")
    finally:
        over.set()
    deadline = time.monotonic() + 10
    while not late and time.monotonic() < deadline:
        time.sleep(0.005)
    assert late == [Stop]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_an_entrypoint_may_have_a_timeout(drive: Drive, kind: str) -> None:
    @entrypoint(timeout=0.05, name="main")
    def main(seconds: float) -> str:
        time.sleep(seconds)
        return "in time"

    @entrypoint(timeout=0.05, name="main")
    async def amain(seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "in time"

    flow: Any = main if kind == "sync" else amain
    if kind == "sync" and drive.kind in ("invoke", "redis"):
        with pytest.raises(RuntimeError, match="timeout"):
            drive(flow, 0.0)
        return
    assert drive(flow, 0.0) == "in time"
    with pytest.raises(StepTimeoutError):
        drive(flow, 0.3)


def test_parameters_of_these_names_are_the_functions_own(drive: Drive) -> None:
    @task(timeout=10)
    async def work(timeout: int, idle_timeout: int = 2, *, retry: int = 3) -> list[int]:
        return [timeout, idle_timeout, retry]

    @entrypoint()
    async def main(_: str) -> Any:
        return [await work(timeout=1), await work(7, idle_timeout=8, retry=9)]

    assert drive(main, "x") == [[1, 2, 3], [7, 8, 9]]
