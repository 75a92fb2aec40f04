"""Leases are kept while runs are at work, and their loss is told once."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from penstock.publisher.script import run
from penstock.runtime import RedisSaver, entrypoint
from penstock.runtime.errors import Cancelled, Fenced, Stop
from penstock.runtime.redis.lease import LeaseKeeper
from penstock.runtime.settings import Settings
from tests.runtime.flows import in_background, thread
from tests.runtime.test_scripts import Desk


class Told:
    """What a lease was told, and when that comes."""

    def __init__(self) -> None:
        self.stops: list[Stop] = []
        self.came = threading.Event()

    def __call__(self, stop: Stop) -> None:
        self.stops.append(stop)
        self.came.set()


@pytest.fixture
def desk(redis_saver: RedisSaver) -> Desk:
    return Desk(redis_saver)


@pytest.fixture
def keeper(desk: Desk) -> Iterator[LeaseKeeper]:
    keeper = LeaseKeeper(desk.redis, desk.calls, lease=0.3, every=0.01)
    yield keeper
    keeper.close()


def test_a_kept_lease_outlives_its_length(desk: Desk, keeper: LeaseKeeper) -> None:
    told = Told()
    desk.create()
    keeper.add(desk.claimed(lease=0.05).lease, told)

    deadline = time.monotonic() + 0.15
    while time.monotonic() < deadline:
        run(desk.redis, desk.calls.recover(3, 60))
        time.sleep(0.01)

    assert desk.status() == "running"
    assert told.stops == []


def test_a_cancel_is_told_once(desk: Desk, keeper: LeaseKeeper) -> None:
    told = Told()
    desk.create()
    keeper.add(desk.claimed().lease, told)
    run(desk.redis, desk.calls.cancel("r", "asked"))

    assert told.came.wait(2)
    time.sleep(0.05)
    assert [type(stop) for stop in told.stops] == [Cancelled]


def test_a_lease_that_another_attempt_has_is_told_once(desk: Desk, keeper: LeaseKeeper) -> None:
    told = Told()
    desk.create()
    lease = desk.claimed(lease=0.001).lease
    time.sleep(0.005)
    run(desk.redis, desk.calls.recover(3, 60))
    desk.claimed(nonce="other")
    keeper.add(lease, told)

    assert told.came.wait(2)
    time.sleep(0.05)
    assert [type(stop) for stop in told.stops] == [Fenced]


def test_an_attempt_whose_loop_is_closed_keeps_no_other_from_hearing(
    desk: Desk, keeper: LeaseKeeper
) -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    called, told = threading.Event(), Told()

    def tell(_: Stop) -> None:
        called.set()
        loop.call_soon_threadsafe(lambda: None)

    for name in ("over", "works"):
        desk.create(name, name)
    keeper.add(desk.claimed("over").lease, tell)
    keeper.add(desk.claimed("works").lease, told)
    run(desk.redis, desk.calls.cancel("over", "asked"))
    assert called.wait(5)
    run(desk.redis, desk.calls.cancel("works", "asked"))

    assert told.came.wait(5)


def test_a_lease_that_is_removed_is_told_nothing(desk: Desk, keeper: LeaseKeeper) -> None:
    told = Told()
    desk.create()
    lease = desk.claimed().lease
    keeper.add(lease, told)
    keeper.remove(lease)
    run(desk.redis, desk.calls.cancel("r", "asked"))
    time.sleep(0.05)

    assert told.stops == []


def test_a_run_in_process_holds_its_lease_for_as_long_as_it_takes(redis_saver: RedisSaver) -> None:
    saver = RedisSaver(redis_saver.connection, settings=Settings(lease=0.15, renew=0.02))

    @entrypoint(checkpointer=saver)
    def main(seconds: float) -> str:
        begun.set()
        time.sleep(seconds)
        return "done"

    begun = threading.Event()
    running: Any = in_background(lambda: main.invoke(0.4, thread()))
    assert begun.wait(2)
    while not running.done():
        run(saver.connection, saver.calls.recover(3, 60))
        time.sleep(0.01)

    assert running.result() == "done"
