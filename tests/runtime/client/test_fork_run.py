"""Starting a run again from one of its steps, and what a client holds of a thread."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from penstock.publisher.redis.script import Call
from penstock.runtime import (
    AsyncClient,
    Client,
    Command,
    RedisSaver,
    entrypoint,
    interrupt,
    sleep,
    task,
)
from penstock.runtime.client.thread import ThreadHandle
from penstock.runtime.errors import (
    ConfigurationError,
    ResumeError,
    RunNotFoundError,
    ThreadBusyError,
    UnknownCheckpointError,
)
from penstock.runtime.redis.plans.creation import Wanted
from penstock.runtime.redis.plans.fork_run import fork_run
from penstock.runtime.redis.plans.requests import Reads, Request
from penstock.runtime.types.run import RunStatus
from penstock.runtime.types.state import StateSnapshot
from tests.runtime.flows import Calls, thread
from tests.runtime.hands import Hands, number, told
from tests.support.requests import sent

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")


@pytest.fixture
def client(redis_saver: RedisSaver) -> Iterator[Client]:
    """A client of the saver's Redis."""
    yield Client(redis_saver.connection)


@pytest.fixture
def handle(client: Client) -> ThreadHandle:
    """The thread of the tests."""
    return client.thread("t")


def steps(saver: RedisSaver, calls: Calls) -> Hands:
    """Three steps, one of them asks, one fails and is survived; the body asks as well."""

    @task
    def work(x: int) -> int:
        calls(("work", x))
        return 10 * x

    @task
    def ask(x: int) -> Any:
        calls(("ask", x))
        return [interrupt("first"), interrupt("second")]

    @task
    def fail(x: int) -> None:
        calls(("fail", x))
        raise ValueError("survived")

    @entrypoint(checkpointer=saver)
    def main(x: int, *, previous: Any = None) -> Any:
        done = [work(x).result()]
        done.append(ask(x).result())
        with suppress(ValueError):
            fail(x).result()
        done.append(interrupt("third"))
        done.append(work(x + 1).result())
        return [previous, *done]

    return Hands(main, False)


def finish(hands: Hands) -> str:
    """Answer all that is asked; returns the run's id."""
    for answer in ("a", "b", "c"):
        hands.invoke(Command(resume=answer))
    return hands.state().run_id


def test_what_an_answer_and_a_fork_need_is_read_in_one_round_trip(
    redis_saver: RedisSaver, client: Client
) -> None:
    hands = steps(redis_saver, Calls())
    hands.invoke(1)
    run_id = hands.state().run_id

    _, answered = sent(client, client.plans.resume(run_id, "a"))
    _, forked = sent(client, fork_run(client.threads, client.settings, ("t", run_id), None))

    assert [type(each) for each in answered] == [Reads, Call]
    assert [type(each) for each in forked] == [Reads, Call]


@pytest.mark.parametrize(
    ("after", "again", "asked"),
    [
        (None, ["work 1", "ask 1"], "first"),
        ("work:0", ["ask 1"], "first"),
        ("ask:0", ["fail 1"], "third"),
        ("fail:0", [], "third"),
    ],
)
def test_a_fork_has_the_steps_up_to_one_and_asks_what_came_later(
    redis_saver: RedisSaver,
    handle: ThreadHandle,
    after: str | None,
    again: list[str],
    asked: str,
) -> None:
    calls = Calls()
    hands = steps(redis_saver, calls)
    hands.invoke(1)
    run_id = finish(hands)
    calls.made.clear()

    run = handle.fork(run_id, after_step=after)

    assert run.run_id != run_id
    assert run.thread_id == "t"
    hands.invoke(None)
    assert [f"{name} {x}" for name, x in calls.made] == again
    assert [one.value for one in hands.state().interrupts] == [asked]


def test_a_fork_after_the_last_step_runs_to_its_end_with_the_same_answers(
    redis_saver: RedisSaver, handle: ThreadHandle
) -> None:
    calls = Calls()
    hands = steps(redis_saver, calls)
    hands.invoke(1)
    run_id = finish(hands)
    expected = hands.state().values
    calls.made.clear()

    handle.fork(run_id, after_step="work:1")

    assert hands.invoke(None) == expected == [None, 10, ["a", "b"], "c", 20]
    assert calls.made == []


def test_a_fork_sees_the_state_that_its_original_saw(
    redis_saver: RedisSaver, handle: ThreadHandle
) -> None:
    @entrypoint(checkpointer=redis_saver)
    def add(x: int, *, previous: int | None = None) -> int:
        return (previous or 0) + x

    hands = Hands(add, False)
    hands.invoke(1)
    hands.invoke(2)
    second = hands.state().run_id
    hands.invoke(4)

    handle.fork(second)

    assert hands.invoke(None) == 3
    fork = hands.state("7")
    assert (told(fork, "source"), fork.values) == ("fork", 1)
    assert fork.parent_config == hands.state("3").config


def test_a_fork_has_context_config_and_metadata_of_its_original(
    redis_saver: RedisSaver, client: Client
) -> None:
    config = {"metadata": {"user": "ann"}, "max_concurrency": 2}
    first = client.enqueue("main", {"x": 1}, thread_id="t", context={"key": 1}, config=config)
    first.cancel()

    second = client.thread("t").fork(first)

    def stored(run_id: str) -> list[Any]:
        names, read = redis_saver.calls.keys, redis_saver.connection
        fields = ("entrypoint", "config", "metadata", "durability", "queue", "retention")
        return [
            read.hmget(names.run(run_id), fields),
            read.hgetall(names.checkpoints(run_id)),
        ]

    assert stored(second.run_id) == stored(first.run_id)
    assert second.status() == "queued"
    assert told(client.thread("t").state(), "user") == "ann"


def test_what_is_recorded_at_the_end_only_can_be_forked_too(
    redis_saver: RedisSaver, handle: ThreadHandle
) -> None:
    calls = Calls()

    @task
    def work(x: int) -> int:
        calls(x)
        return x

    @entrypoint(checkpointer=redis_saver)
    def main(x: int) -> int:
        return sum(work(each).result() for each in range(3))

    hands = Hands(main, False)
    main.invoke(1, thread("t"), durability="exit")

    handle.fork(hands.state().run_id, after_step="work:1")

    assert hands.invoke(None) == 3
    assert calls.made == [0, 1, 2, 2]


def test_an_unknown_step_is_refused_with_those_there_are(
    redis_saver: RedisSaver, handle: ThreadHandle
) -> None:
    hands = steps(redis_saver, Calls())
    hands.invoke(1)
    run_id = hands.state().run_id

    with pytest.raises(ConfigurationError, match=r"no step 'x'; it has finished 'work:0'\."):
        handle.fork(run_id, after_step="x")

    assert len(list(handle.history())) == 1
    assert hands.state().next == ("main",)


def test_a_fork_is_of_a_run_of_its_thread_that_has_begun(client: Client) -> None:
    first = client.enqueue("main", 1, thread_id="t")
    waiting = client.enqueue("main", 2, thread_id="t")

    with pytest.raises(RunNotFoundError):
        client.thread("t").fork("unknown")
    with pytest.raises(ConfigurationError, match="of thread 't', not of 'u'"):
        client.thread("u").fork(first)
    with pytest.raises(UnknownCheckpointError, match="has not begun"):
        client.thread("t").fork(waiting)
    with pytest.raises(ThreadBusyError):
        client.thread("t").fork(first)
    waiting.cancel()
    first.cancel()


def test_a_fork_gives_up_what_waits(redis_saver: RedisSaver, handle: ThreadHandle) -> None:
    hands = steps(redis_saver, Calls())
    hands.invoke(1)
    run_id = hands.state().run_id

    handle.fork(run_id, after_step="work:0")

    assert redis_saver.do(redis_saver.plans.info(run_id)).status == RunStatus.CANCELLED


# -- the handle ---------------------------------------------------------------------------------


def test_a_thread_can_be_read_changed_answered_and_forgotten(
    redis_saver: RedisSaver, client: Client
) -> None:
    hands = steps(redis_saver, Calls())
    handle = client.thread("t")
    assert handle.thread_id == "t"
    assert handle.state().values == {}

    made = handle.update(["before"])
    hands.invoke(1)
    run = handle.resume("a")

    assert run.status() == "queued"
    hands.invoke(None)
    assert [one.value for one in handle.state().interrupts] == ["second"]
    assert [number(one) for one in handle.history()] == ["2", "1"]
    assert [number(one) for one in handle.history(filter={"source": "update"})] == ["1"]
    assert list(handle.history(before="2", limit=0)) == []
    assert handle.state("1") == handle.state(made) == handle.state(hands.state("1").config)
    assert handle.update("other", checkpoint="1")["configurable"]["checkpoint_id"] == "3"
    assert handle.copy("u").state().values == "other"
    handle.delete()
    assert handle.state().values == {}
    assert client.thread("u").state().values == "other"
    with pytest.raises(ResumeError, match="no run"):
        handle.resume("a")
    with pytest.raises(ConfigurationError):
        client.thread("")


def test_the_same_from_asyncio(redis_saver: RedisSaver) -> None:
    hands = steps(redis_saver, Calls())
    kwargs = redis_saver.connection.connection_pool.connection_kwargs

    async def use() -> None:
        async with AsyncClient(f"redis://{kwargs['host']}:{kwargs['port']}") as client:
            handle = client.thread("t")
            assert (await handle.state()).values == {}
            await handle.update(["before"])
            await asyncio.to_thread(hands.invoke, 1)
            run = await handle.resume("a")
            assert await run.status() == "queued"
            await asyncio.to_thread(hands.invoke, None)
            history = [one async for one in handle.history(limit=5)]
            assert [number(one) for one in history] == ["2", "1"]
            assert [one async for one in handle.history(before="1")] == []
            forked = await handle.fork(run, after_step="work:0")
            assert forked.thread_id == handle.thread_id == "t"
            await forked.cancel()
            assert (await (await handle.copy("u")).state()).values == ["before"]
            await handle.expire(100)
            await handle.delete()
            assert (await handle.state()).values == {}

    asyncio.run(use())


def test_an_enqueue_goes_on_from_the_checkpoint_in_its_config(
    redis_saver: RedisSaver, client: Client
) -> None:
    handle = client.thread("t")
    handle.update(1)
    handle.update(2)

    client.enqueue("main", 5, config=handle.state("1").config).cancel()

    states = list(handle.history())
    assert [told(one, "source") for one in states] == ["input", "fork", "update", "update"]
    assert states[0].values == 1
    with pytest.raises(UnknownCheckpointError, match="'77'"):
        client.enqueue("main", 5, thread_id="t", config={"configurable": {"checkpoint_id": 77}})


def test_an_enqueue_from_a_checkpoint_leaves_the_thread_alone_if_another_was_quicker(
    client: Client,
) -> None:
    """The other one comes just before the new run would be on the thread."""
    handle = client.thread("t")
    handle.update(1)
    place = handle.state().config
    handle.update(2)
    wanted = Wanted("main", 5, thread_id="t", config=place)
    before: list[StateSnapshot] = []

    def be_quicker(request: Request) -> None:
        if isinstance(request, Call) and request.script.name == "enqueue":
            client.enqueue("other", 1, thread_id="t")
            before.extend(handle.history())

    with pytest.raises(ThreadBusyError):
        sent(client, client.threads.changes.enqueue(wanted), be_quicker)

    assert list(handle.history()) == before
    assert before[0].parent_config == handle.state("2").config
    client.get(client.runs("queued")[0].run_id).cancel()


def test_a_run_from_a_checkpoint_does_not_wait_for_one_that_moves_the_thread(
    client: Client,
) -> None:
    """It would begin from the state that the other one leaves, though it named another."""
    handle = client.thread("t")
    handle.update(1)
    first = client.enqueue("main", 2, thread_id="t")
    place: Any = handle.state().config

    with pytest.raises(ThreadBusyError):
        client.enqueue("main", 5, thread_id="t", config=place)

    waits = client.enqueue("main", 3, thread_id="t")
    with pytest.raises(ThreadBusyError):
        client.enqueue("main", 5, thread_id="t", config=place, on_busy="rollback")
    waits.cancel()

    last = client.enqueue("main", 5, thread_id="t", config=place, on_busy="rollback")
    assert first.status() == "cancelled"
    assert handle.state().values == 1
    last.cancel()


def test_an_enqueue_from_a_checkpoint_sent_again_is_one(client: Client) -> None:
    handle = client.thread("t")
    handle.update(1)
    place = handle.state().config
    handle.update(2)

    runs = [client.enqueue("main", 5, run_id="r", config=place) for _ in range(3)]

    assert {run.run_id for run in runs} == {"r"}
    assert len(list(handle.history())) == 4
    runs[0].cancel()


def test_pauses_that_were_over_are_over_in_a_fork_too(
    redis_saver: RedisSaver, handle: ThreadHandle
) -> None:
    @task
    def work(x: int) -> int:
        return x

    @entrypoint(checkpointer=redis_saver)
    def main(x: int) -> int:
        sleep(2)
        return work(x).result()

    hands = Hands(main, False)
    hands.invoke(1)
    handle.fork(hands.state().run_id, after_step="work:0")
    began = time.monotonic()

    assert hands.invoke(None) == 1

    assert time.monotonic() - began < 2


def test_what_was_answered_by_time_alone_is_so_in_a_fork_too(
    redis_saver: RedisSaver, handle: ThreadHandle
) -> None:
    @task
    def work(x: Any) -> Any:
        return x

    @entrypoint(checkpointer=redis_saver)
    def main(x: int) -> Any:
        return work(interrupt("?", timeout=0.1, default="late")).result()

    hands = Hands(main, False)
    hands.invoke(1)
    while (result := hands.invoke(None)) != "late":
        assert result["__interrupt__"]
    handle.fork(hands.state().run_id, after_step="work:0")

    assert hands.invoke(None) == "late"
