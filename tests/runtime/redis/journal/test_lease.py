"""Leases are kept while runs are at work, and their loss is told once."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from functools import cached_property
from typing import Any, Final

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from penstock.publisher.redis.direct import DirectRedis
from penstock.publisher.redis.script import load, run
from penstock.runtime import Command, InMemorySaver, RedisSaver, entrypoint, interrupt, task
from penstock.runtime.errors import Cancelled, Fenced, LeaseUnconfirmed, RunCancelledError, Stop
from penstock.runtime.journal.journal import Journal
from penstock.runtime.redis.journal.lease import LeaseKeeper
from penstock.runtime.redis.journal.sender import Sender
from penstock.runtime.redis.replies import Lease
from penstock.runtime.settings import Settings
from tests.runtime.flows import in_background, thread
from tests.runtime.redis.test_scripts import Desk
from tests.support.late import LateCancels
from tests.support.until import until

SUSPEND: Final = load("penstock.runtime.redis.scripts", "suspend")
FINISH: Final = load("penstock.runtime.redis.scripts", "finish")


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


def test_a_lease_is_kept_while_a_cancelled_run_comes_to_its_end(
    desk: Desk, keeper: LeaseKeeper
) -> None:
    told = Told()
    desk.create()
    lease = desk.claimed(lease=0.3).lease
    keeper.add(lease, told)
    run(desk.redis, desk.calls.cancel("r", "asked"))

    time.sleep(0.6)
    keeper.remove(lease)

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


def test_a_lease_that_was_given_up_is_not_renewed(desk: Desk) -> None:
    """Or nobody would have the run until it ends again."""
    told = Told()
    desk.create()
    lease = desk.claimed(lease=60).lease
    ends = desk.redis.zscore(desk.names.leases, "r")
    keeper = LeaseKeeper(desk.redis, desk.calls, lease=0.01, every=0.05)
    keeper.add(lease, told)

    assert told.came.wait(2)
    keeper.close()

    assert [type(stop) for stop in told.stops] == [LeaseUnconfirmed]
    assert desk.redis.hget(desk.names.run("r"), "forgone") == lease.fence.encode()
    assert desk.redis.zscore(desk.names.leases, "r") == ends


def test_a_life_that_redis_does_not_hear_of_is_logged_as_such(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    away = redis.Redis(port=1, retry=Retry(NoBackoff(), 0))
    keeper = LeaseKeeper(away, desk.calls, lease=8, every=0.01)
    keeper.start()

    keeper.forgo(Lease("r", "1.n"))
    until(lambda: bool(caplog.messages))
    keeper.close()

    told = "Redis has not taken what it was told of 1 leases, trying again: "
    assert caplog.messages[0].startswith(told)


def test_a_run_whose_keys_are_spoilt_keeps_no_other_from_being_renewed_or_forgone(
    desk: Desk,
) -> None:
    for name in "ab":
        desk.create(name, name)
    leases = [desk.claimed(name).lease for name in "ab"]
    desk.redis.delete(desk.names.run("a"))
    desk.redis.set(desk.names.run("a"), "no hash")

    assert desk.calls.words(run(desk.redis, desk.calls.renew(leases, 8))) == ["LOST", "OK"]
    run(desk.redis, desk.calls.forgo(leases))

    assert desk.redis.hget(desk.names.run("b"), "forgone") == leases[1].fence.encode()


def test_an_attempt_whose_loop_is_closed_keeps_no_other_from_hearing(
    desk: Desk, keeper: LeaseKeeper
) -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    called, told = threading.Event(), Told()

    def on_stop(_: Stop) -> None:
        called.set()
        loop.call_soon_threadsafe(lambda: None)

    for name in ("over", "works"):
        desk.create(name, name)
    keeper.add(desk.claimed("over").lease, on_stop)
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
    saver = RedisSaver(redis_saver.connection, settings=Settings(lease=1.0, renew=0.05))

    @entrypoint(checkpointer=saver)
    def main(seconds: float) -> str:
        begun.set()
        time.sleep(seconds)
        return "done"

    begun = threading.Event()
    running: Any = in_background(lambda: main.invoke(2.2, thread()))
    assert begun.wait(2)
    while not running.done():
        run(saver.connection, saver.calls.recover(3, 60))
        time.sleep(0.01)

    assert running.result() == "done"


class Meeting(DirectRedis):
    """Renews leases after a run's last write is done, and before that is told."""

    renew: Callable[[], None] = staticmethod(lambda: None)

    def execute_command(self, *args: Any, **options: Any) -> Any:
        reply: Any = super().execute_command(*args, **options)
        if len(args) > 1 and args[1] in (SUSPEND.sha, SUSPEND.text, FINISH.sha, FINISH.text):
            self.renew()
        return reply


class MeetingSaver(InMemorySaver):
    met = 0

    @cached_property
    def _sender(self) -> Sender:
        connection = Meeting(self.connection)
        connection.renew = self._meet
        sender = Sender(self.connection)
        sender.connection = connection
        return sender

    def _meet(self) -> None:
        saver: Any = self
        self.met += 1
        saver._keeper._renew(list(saver._keeper._held))


@pytest.mark.parametrize("is_async", [False, True])
def test_a_renewal_that_comes_upon_the_end_of_a_run_does_not_stop_it(is_async: bool) -> None:
    saver = MeetingSaver()

    @entrypoint(checkpointer=saver)
    def main(question: str) -> Any:
        return interrupt(question)

    def invoke(given: Any) -> Any:
        if is_async:
            return asyncio.run(main.ainvoke(given, thread("one")))
        return main.invoke(given, thread("one"))

    asked = invoke("well?")
    assert [each.value for each in asked["__interrupt__"]] == ["well?"]
    assert invoke(Command(resume="yes")) == "yes"
    assert saver.met == 2


@task
async def tick() -> None:
    await asyncio.sleep(0.01)


async def stopped_and_cancelled(saver: Any, invoked: Coroutine[Any, Any, Any]) -> Any:
    """Stop a run at its next step, and cancel its task as its end waits to be stored."""
    late, running = LateCancels(), asyncio.ensure_future(invoked)
    async with asyncio.timeout(5):
        while not saver._keeper._held:
            await asyncio.sleep(0.01)
    (told,) = saver.journals
    with told.sending:  # nothing is sent meanwhile
        late.hold()
        saver._keeper.cancel(told.lease.run_id)
        async with asyncio.timeout(5):
            while not (late and told.is_ending):
                await asyncio.sleep(0.01)
        late.let_go()
        await asyncio.sleep(0.05)
    return await running


class WatchedSaver(RedisSaver):
    """Shows the journals of its runs."""

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self.journals: list[Journal] = []

    def guard(self, journal: Journal, on_stop: Callable[[Stop], None]) -> None:
        self.journals.append(journal)
        super().guard(journal, on_stop)


def test_a_run_in_process_that_stopped_by_itself_is_not_cut_off_as_its_end_is_stored(
    redis_saver: RedisSaver,
) -> None:
    saver = WatchedSaver(redis_saver.connection)

    @entrypoint(checkpointer=saver)
    async def main(_: str) -> None:
        while True:
            await tick()

    with pytest.raises(RunCancelledError):
        asyncio.run(stopped_and_cancelled(saver, main.ainvoke("", thread("one"))))
