"""How long threads are kept, copies of them, and forgetting them."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
import redis

from penstock.runtime import Client, Command, InMemorySaver, RedisSaver, entrypoint, interrupt, task
from penstock.runtime.errors import (
    ConfigurationError,
    EmptyInputError,
    RunNotFoundError,
    ThreadBusyError,
    ThreadNotFoundError,
)
from penstock.runtime.redis.keys import thread_key
from penstock.runtime.redis.plans.search import SearchPlans
from penstock.runtime.settings import Settings
from penstock.runtime.types.run_filter import RunFilter
from tests.runtime.flows import in_background, keys
from tests.runtime.hands import Hands, line, number
from tests.support.server import RedisServer


def adder(saver: RedisSaver, thread: str = "t") -> Hands:
    """Adds to what the thread has; 0 asks."""

    @task
    def double(x: int) -> int:
        return 2 * x

    @entrypoint(checkpointer=saver)
    def add(x: int, *, previous: int | None = None) -> Any:
        return double(x).result() + (previous or 0) + (interrupt("?") if x == 0 else 0)

    return Hands(add, False, thread)


def lives(saver: RedisSaver, thread: str = "t") -> set[int]:
    """Seconds that the two keys of a thread live, rounded up; -1 for ever, -2 for no key."""
    names, name = saver.calls.keys, thread_key(thread)
    left = [
        int(str(saver.connection.pttl(key))) for key in (names.thread(name), names.history(name))
    ]
    return {-(-ms // 1000) if ms >= 0 else ms for ms in left}


@pytest.fixture
def connection(redis_server: RedisServer) -> Any:
    """A connection to the shared server, emptied."""
    with redis.Redis.from_url(redis_server.url) as connection:
        connection.flushall()
        yield connection


def test_a_thread_with_a_name_is_kept_for_ever(saver: RedisSaver) -> None:
    adder(saver).invoke(1)

    assert lives(saver) == {-1}


@pytest.mark.parametrize("kind", ["memory", "redis"])
def test_a_setting_says_how_long_threads_are_kept_after_their_last_run(
    kind: str, connection: redis.Redis
) -> None:
    settings = Settings(thread_retention=1000)
    saver: RedisSaver = InMemorySaver(settings=settings)
    if kind == "redis":
        saver = RedisSaver(connection, settings=settings)
    hands = adder(saver)

    hands.invoke(1)
    assert lives(saver) == {1000}
    hands.invoke(0)
    assert lives(saver) == {-1}
    hands.update(5)
    assert lives(saver) == {1000}
    hands.invoke(None, checkpoint=2)
    assert lives(saver) == {1000}
    saver.copy_thread("t", "u")
    assert lives(saver, "u") == {1000}


def test_a_thread_may_be_kept_for_a_time_of_its_own(redis_saver: RedisSaver) -> None:
    hands = adder(redis_saver)
    hands.invoke(1)

    with Client(redis_saver.connection) as client:
        client.thread("t").expire(500)
        assert lives(redis_saver) == {500}
        hands.invoke(0)
        assert lives(redis_saver) == {-1}
        client.thread("t").expire(600)
        assert lives(redis_saver) == {-1}
        hands.invoke(Command(resume=1))
        assert lives(redis_saver) == {600}
        client.thread("t").expire(None)
        assert lives(redis_saver) == {-1}
        hands.invoke(1)
        assert lives(redis_saver) == {-1}

        with pytest.raises(ConfigurationError, match="for ever"):
            client.thread("t").expire(0)
        with pytest.raises(ThreadNotFoundError, match="'nobody'"):
            client.thread("nobody").expire(1)


def test_a_failed_run_that_goes_on_keeps_its_thread(connection: redis.Redis) -> None:
    saver = RedisSaver(connection, settings=Settings(thread_retention=1000))
    seen: list[set[int]] = []

    @entrypoint(checkpointer=saver)
    def main(x: int) -> int:
        seen.append(lives(saver))
        if len(seen) == 1:
            raise ValueError("once")
        return x

    hands = Hands(main, False)
    with pytest.raises(ValueError, match="once"):
        hands.invoke(1)
    assert lives(saver) == {1000}

    hands.invoke(None)

    assert seen == [{-1}, {-1}]
    assert lives(saver) == {1000}


@pytest.mark.filterwarnings("ignore:no live worker has announced")
def test_a_thread_of_a_run_of_its_own_goes_with_the_run(redis_saver: RedisSaver) -> None:
    settings = Settings(retention=700)

    with Client(redis_saver.connection, settings=settings) as client:
        run = client.enqueue("main", 1)
        assert lives(redis_saver, run.run_id) == {-2}, "nobody has asked for it"
        client.thread(run.run_id).copy("copied")
        assert lives(redis_saver, run.run_id) == {-1}
        run.cancel()

    assert lives(redis_saver, run.run_id) == {700}


def test_a_thread_whose_time_is_over_begins_anew(connection: redis.Redis) -> None:
    saver = RedisSaver(connection, settings=Settings(thread_retention=0.001))
    hands = adder(saver)
    hands.invoke(1)
    while connection.exists(saver.calls.keys.thread(thread_key("t"))):
        pass

    assert hands.state().values == {}
    assert hands.invoke(2) == 4


# -- copies -------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_async", [False, True])
def test_a_copy_has_the_history_and_the_values(saver: RedisSaver, is_async: bool) -> None:
    hands, copied = adder(saver), adder(saver, "u")
    hands.invoke(1)
    hands.update(entrypoint.final(value="shown", save=7))
    if is_async:
        asyncio.run(saver.acopy_thread("t", "u"))
    else:
        saver.copy_thread("t", "u")

    assert line(copied.history()) == line(hands.history())
    assert [one.values for one in copied.history()] == ["shown", 2, None]
    assert {one.config["configurable"]["thread_id"] for one in copied.history()} == {"u"}
    assert copied.invoke(2) == 11
    assert hands.invoke(3) == 13
    assert number(copied.state()) == number(hands.state()) == "5"


def test_what_is_pending_is_not_pending_in_a_copy(saver: RedisSaver) -> None:
    hands, copied = adder(saver), adder(saver, "u")
    hands.invoke(1)
    hands.invoke(0)

    saver.copy_thread("t", "u")

    assert (copied.state().next, copied.state().interrupts) == ((), ())
    with pytest.raises(EmptyInputError):
        copied.invoke(None)
    assert copied.invoke(2) == 6
    assert hands.invoke(Command(resume=5)) == 7


def test_only_what_is_there_is_copied_and_nothing_is_overwritten(saver: RedisSaver) -> None:
    adder(saver, "t").invoke(1)
    adder(saver, "u").invoke(2)

    with pytest.raises(ThreadNotFoundError, match="'nobody'"):
        saver.copy_thread("nobody", "v")
    with pytest.raises(ConfigurationError, match="'u' has a history"):
        saver.copy_thread("t", "u")
    with pytest.raises(ConfigurationError, match="'t' has a history"):
        saver.copy_thread("t", "t")

    assert adder(saver, "u").state().values == 4
    assert adder(saver, "v").state().values == {}


# -- forgetting ---------------------------------------------------------------------------------


@pytest.mark.parametrize("is_async", [False, True])
def test_a_thread_is_forgotten_with_all_its_runs(saver: RedisSaver, is_async: bool) -> None:
    hands, other = adder(saver), adder(saver, "u")
    other.invoke(1)
    before = set(keys(saver))
    hands.invoke(1)
    hands.invoke(0)
    run_ids = {one.run_id for one in hands.history()}

    if is_async:
        asyncio.run(saver.adelete_thread("t"))
    else:
        saver.delete_thread("t")

    left = {name for name in keys(saver) if ":over:" not in name}  # whose entries hold no more
    assert left == {name for name in before if ":over:" not in name}
    for run_id in run_ids:
        with pytest.raises(RunNotFoundError):
            saver.do(saver.plans.info(run_id))
    search = SearchPlans(saver.plans.keys, saver.codec)
    assert {run.thread_id for run in saver.do(search.page(RunFilter(), 100))} == {"u"}
    assert hands.state().values == {}
    assert hands.invoke(4) == 8
    assert other.invoke(1) == 4


def test_forgetting_a_thread_that_nobody_knows_is_nothing(saver: RedisSaver) -> None:
    saver.delete_thread("t")
    saver.delete_thread("t")

    assert keys(saver) == []


def test_forgetting_a_copy_leaves_the_runs_of_the_original(saver: RedisSaver) -> None:
    hands = adder(saver)
    hands.invoke(1)
    saver.copy_thread("t", "u")

    saver.delete_thread("u")

    assert hands.state("1").tasks[0].result == 2
    assert hands.invoke(None, checkpoint=1) == 2


def test_a_thread_at_work_is_not_forgotten(saver: RedisSaver) -> None:
    begun, go = threading.Event(), threading.Event()

    @entrypoint(checkpointer=saver)
    def main(x: int) -> int:
        begun.set()
        go.wait(10)
        return x

    hands = Hands(main, False)
    running = in_background(lambda: hands.invoke(1))
    begun.wait(10)

    with pytest.raises(ThreadBusyError, match="busy"):
        saver.delete_thread("t")
    go.set()

    assert running.result(10) == 1
    assert hands.state().values == 1


@pytest.mark.filterwarnings("ignore:no live worker has announced")
def test_runs_that_never_began_are_forgotten_too(redis_saver: RedisSaver) -> None:
    with Client(redis_saver.connection) as client:
        first, second, third = (client.enqueue("main", at, thread_id="t") for at in range(3))
        stranger = client.enqueue("main", 9, thread_id="u")
        for run in (second, third, first, stranger):
            run.cancel()

        client.thread("t").delete()

        left = {run.run_id for run in client.runs()}

    assert left == {stranger.run_id}
    found = keys(redis_saver)
    assert not [key for run in (first, second, third) for key in found if run.run_id in key]
