from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import redis

from penstock.publisher.errors import RedisUnavailableError
from penstock.runtime import Client
from penstock.runtime.errors import ConfigurationError
from penstock.runtime.settings import Settings
from penstock.worker import process
from penstock.worker.options import WorkerOptions
from penstock.worker.process import run_worker, supervise
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import FLOWS

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")


def options(url: str, app: str = str(FLOWS)) -> WorkerOptions:
    settings = Settings(redis=url)
    return WorkerOptions(app=(app,), queues=("default",), settings=settings, burst=True)


Start = Callable[[WorkerOptions], int]


def supervise_two(options: WorkerOptions) -> int:
    return supervise(options, 2)


@pytest.mark.parametrize("start", [run_worker, supervise_two])
def test_without_redis_nothing_starts(start: Start) -> None:
    with pytest.raises(RedisUnavailableError):
        start(options("redis://127.0.0.1:1"))


@pytest.mark.parametrize("start", [run_worker, supervise_two])
def test_without_an_app_nothing_starts(start: Start, redis_url: str) -> None:
    with pytest.raises(ConfigurationError):
        start(options(redis_url, "missing.py"))


def test_a_burst_in_this_process(redis_url: str, redis_client: redis.Redis) -> None:
    with Client(redis_url) as client:
        run = client.enqueue("main", {"x": 5})

        assert run_worker(options(redis_url)) == 0

        assert run.result(1) == 10
    Checker(redis_client).check(over=True)


def test_a_signal_between_the_end_of_a_process_and_the_note_of_it_stops_the_others(
    redis_url: str,
) -> None:
    process_module: Any = process
    supervisor = process_module._Supervisor(options(redis_url), 1)
    ended, running = [subprocess.Popen(["sleep", "60"]) for _ in range(2)]
    ended.kill()
    ended.wait()
    for child in (ended, running):
        supervisor._children[child.pid] = process_module._Child("worker", 0.0, 0)

    supervisor._stop(signal.SIGTERM, None)

    assert running.wait(5) == -signal.SIGTERM
