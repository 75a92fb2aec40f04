from __future__ import annotations

from collections.abc import Callable

import pytest
import redis

from penstock.publisher.errors import RedisUnavailableError
from penstock.runtime import Client
from penstock.runtime.errors import ConfigurationError
from penstock.runtime.settings import Settings
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
