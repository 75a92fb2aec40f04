"""When what a step did is in Redis, and in which order."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import ExitStack
from typing import Any

import pytest
import redis

from penstock.publisher.errors import CodecError
from penstock.publisher.redis.script import Call
from penstock.publisher.redis.script import run as send
from penstock.runtime import (
    Client,
    Command,
    RedisSaver,
    entrypoint,
    get_config,
    get_stream_writer,
    interrupt,
    task,
)
from penstock.runtime.client.run import RunHandle
from penstock.runtime.engine.step import current
from penstock.runtime.errors import LeaseLostError
from penstock.runtime.journal.endings import Ending, Finished, HandedOver
from penstock.runtime.journal.fact import Fact
from penstock.runtime.redis.journal.journal import RedisJournal
from penstock.runtime.redis.journal.sender import Sender
from penstock.runtime.redis.keys import Keys
from penstock.runtime.redis.replies import Claim
from tests.runtime.flows import thread
from tests.support.events import stored_events
from tests.support.server import RedisServer

KEYS = Keys()


@pytest.fixture
def other(redis_saver: RedisSaver, redis_server: RedisServer) -> Any:
    """A second connection to the server that the saver writes to."""
    with redis.Redis.from_url(redis_server.url) as client:
        yield client


@task
def double(x: int) -> int:
    return 2 * x


@task
async def adouble(x: int) -> int:
    return 2 * x


@task
def fail() -> None:
    raise ValueError("recorded")


def run_id() -> str:
    return str(get_config()["configurable"]["run_id"])


def modes(client: Any, run: str) -> list[str]:
    return [event["mode"] for event in events(client, run)]


def events(client: Any, run: str) -> list[Any]:
    stored = stored_events(client, KEYS.events(run))
    return [{"seq": seq} | json.loads(text) for seq, text in stored]


def begun(saver: RedisSaver) -> tuple[RunHandle, RedisJournal]:
    """A run, and the journal of its first attempt."""
    run = Client(saver.connection).enqueue("main", 1)
    claim = saver.calls.acquired(
        send(saver.connection, saver.calls.acquire(run.run_id, "w", "n", 8))
    )
    assert isinstance(claim, Claim)
    return run, RedisJournal(claim, saver.calls, Sender(saver.connection))


def recorded(client: Any, run: str) -> set[str]:
    return {name.decode() for name in client.hkeys(KEYS.checkpoints(run))}


@pytest.mark.parametrize("kind", ["sync", "async", "sync on loop"])
def test_sync_durability_stores_an_outcome_before_its_future_resolves(
    redis_saver: RedisSaver, other: Any, kind: str
) -> None:
    stored: list[bool] = []

    def look(step: str) -> None:
        stored.append(step in recorded(other, run_id()))
        stored.append("step.finished" in modes(other, run_id()))

    @entrypoint(checkpointer=redis_saver)
    def main(_: str) -> None:
        for number in range(3):
            double(number).result()
            look(f"double:{number}")
        with pytest.raises(ValueError, match="recorded"):
            fail().result()
        look("fail:0")

    @entrypoint(checkpointer=redis_saver)
    async def amain(_: str) -> None:
        for number in range(3):
            await adouble(number)
            look(f"adouble:{number}")
        with pytest.raises(ValueError, match="recorded"):
            await fail()
        look("fail:0")

    if kind == "sync":
        main.invoke("x", thread(), durability="sync")
    elif kind == "async":
        asyncio.run(amain.ainvoke("x", thread(), durability="sync"))
    else:
        asyncio.run(main.ainvoke("x", thread(), durability="sync"))

    assert stored == [True] * 8


def test_async_durability_stores_soon_and_in_order(redis_saver: RedisSaver, other: Any) -> None:
    @entrypoint(checkpointer=redis_saver)
    def main(_: str) -> str:
        for number in range(50):
            double(number).result()
        return run_id()

    run = main.invoke("x", thread())

    told = events(other, run)
    finished = [event["data"]["id"] for event in told if event["mode"] == "step.finished"]
    assert finished == [f"double:{number}" for number in range(50)]
    assert modes(other, run)[:2] == ["run.queued", "run.started"]
    assert modes(other, run)[-1] == "run.finished"
    assert [event["seq"] for event in told] == list(range(1, len(told) + 1))


def test_async_durability_stores_what_was_done_while_the_body_goes_on(
    redis_saver: RedisSaver, other: Any
) -> None:
    @entrypoint(checkpointer=redis_saver)
    def main(_: str) -> bool:
        double(1).result()
        seen = threading.Event()
        for _attempt in range(200):
            if "double:0" in recorded(other, run_id()):
                return True
            seen.wait(0.005)
        return False

    assert main.invoke("x", thread()) is True


def test_exit_durability_stores_outcomes_only_when_the_run_stops(
    redis_saver: RedisSaver, other: Any
) -> None:
    during: list[set[str]] = []

    @entrypoint(checkpointer=redis_saver)
    def main(how: str) -> str:
        double(1).result()
        during.append(recorded(other, run_id()))
        runs.append(run_id())
        if how == "interrupt":
            interrupt("?")
        if how == "fail":
            raise ValueError("stop")
        return how

    runs: list[str] = []
    main.invoke("return", thread("a"), durability="exit")
    main.invoke("interrupt", thread("b"), durability="exit")
    with pytest.raises(ValueError, match="stop"):
        main.invoke("fail", thread("c"), durability="exit")

    assert all("double:0" not in each for each in during)
    after = ["double:0" in recorded(other, run) for run in runs]
    assert after[1:] == [True, True]


def test_exit_durability_reuses_steps_after_an_interrupt(saver: RedisSaver) -> None:
    calls: list[int] = []

    @task
    def work(x: int) -> int:
        calls.append(x)
        return x

    @entrypoint(checkpointer=saver)
    def main(_: str) -> list[Any]:
        return [work(1).result(), interrupt("?"), work(2).result()]

    main.invoke("x", thread(), durability="exit")

    assert main.invoke(Command(resume="a"), thread(), durability="exit") == [1, "a", 2]
    assert calls == [1, 2]


@pytest.mark.filterwarnings("ignore:durability=")  # without a checkpointer it has no meaning
@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_every_durability_gives_the_same_result_and_the_same_stream(
    any_saver: RedisSaver | None, durability: Any, kind: str
) -> None:
    @entrypoint(checkpointer=any_saver)
    def main(x: int) -> int:
        get_stream_writer()("hello")
        return double(x).result()

    @entrypoint(checkpointer=any_saver)
    async def amain(x: int) -> int:
        get_stream_writer()("hello")
        return await double(x)

    async def collect() -> list[Any]:
        chunks = amain.astream(
            2, thread(), stream_mode=["custom", "updates", "values"], durability=durability
        )
        return [chunk async for chunk in chunks]

    if kind == "sync":
        chunks = list(
            main.stream(
                2, thread(), stream_mode=["custom", "updates", "values"], durability=durability
            )
        )
        name = "main"
    else:
        chunks, name = asyncio.run(collect()), "amain"

    assert chunks == [
        ("custom", "hello"),
        ("updates", {"double": 4}),
        ("updates", {name: 4}),
        ("values", 4),
    ]


def test_the_terminal_event_is_the_last_one_though_coroutines_outlive_the_body(
    redis_saver: RedisSaver, other: Any
) -> None:
    async def forever() -> None:
        while True:
            await adouble(1)

    async def leave() -> None:
        await asyncio.sleep(0.005)
        runs.append(run_id())
        raise ValueError("over")

    @entrypoint(checkpointer=redis_saver)
    async def main(_: str) -> None:
        await asyncio.gather(forever(), leave())

    async def run() -> None:
        with pytest.raises(ValueError, match="over"):
            await main.ainvoke("x", thread(str(len(runs))))
        await asyncio.sleep(0.01)

    runs: list[str] = []
    for _ in range(15):
        asyncio.run(run())

    assert {modes(other, run)[-1] for run in runs} == {"run.finished"}


def test_a_custom_event_that_cannot_be_written_names_its_step(saver: RedisSaver) -> None:
    @task
    def speak() -> None:
        get_stream_writer()(object())

    @entrypoint(checkpointer=saver)
    def main(_: str) -> str:
        try:
            speak().result()
        except CodecError as error:
            return str(error)
        return "not refused"

    assert "speak:0" in main.invoke("x", thread())


def test_a_large_outcome_is_stored_once(redis_saver: RedisSaver, other: Any) -> None:
    @task
    def large() -> str:
        return "x" * 200_000

    @entrypoint(checkpointer=redis_saver)
    def main(_: str) -> str:
        large().result()
        return run_id()

    run = main.invoke("x", thread())

    assert sum(len(text) for _, text in stored_events(other, KEYS.events(run))) < 10_000
    assert len(other.hget(KEYS.checkpoints(run), "large:0")) > 200_000


class Eager:
    """A lock, and a sender that takes what is due as soon as it is free."""

    def __init__(self, journal: RedisJournal) -> None:
        self._journal = journal
        self._lock = threading.Lock()
        self._taking = False
        self.calls: dict[int, Call] = {}

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        if not self._taking:
            self._taking = True
            call = self._journal.next_call()
            if call is not None:
                self.calls[int(call.args[4])] = call
            self._taking = False


@pytest.mark.filterwarnings("ignore:no live worker has announced")
@pytest.mark.parametrize("status", ["completed", "failed"])
def test_an_end_and_its_event_are_one_write_however_soon_it_is_sent(
    redis_saver: RedisSaver, status: Any
) -> None:
    client = Client(redis_saver.connection)
    run = client.enqueue("main", 1)
    calls = redis_saver.calls
    claim = calls.acquired(send(redis_saver.connection, calls.acquire(run.run_id, "w", "n", 8)))
    assert isinstance(claim, Claim)
    journal = RedisJournal(claim, calls, Sender(redis_saver.connection))
    eager = Eager(journal)
    vars(journal)["_lock"] = eager

    ended = Fact("run.finished", {"name": "main", "status": status}, (), 0.0)
    journal.close(Finished(status, ended, {"result": "{}"}))

    (write,) = eager.calls.values()
    assert write.script.name == "finish"
    assert any("run.finished" in str(text) for text in write.args)


@pytest.mark.filterwarnings("ignore:no live worker has announced")
@pytest.mark.parametrize("is_handed_over", [False, True])
def test_the_first_ending_counts_and_what_comes_after_it_is_not_written(
    redis_saver: RedisSaver, is_handed_over: bool
) -> None:
    """As where a worker lets go of a run that comes to its end by itself just then."""
    run, journal = begun(redis_saver)
    ended = Fact("run.finished", {"name": "main", "status": "completed"}, (), 0.0)
    endings: list[Ending] = [Finished("completed", ended, {"result": "{}"}), HandedOver()]

    first, second = reversed(endings) if is_handed_over else endings
    journal.close(first)
    journal.keep("late", "1")
    journal.end(second)
    with pytest.raises(LeaseLostError):
        journal.close(second)
    journal.flush()

    assert run.status() == ("queued" if is_handed_over else "completed")
    assert ("run.finished" in modes(redis_saver.connection, run.run_id)) is not is_handed_over
    assert "late" not in recorded(redis_saver.connection, run.run_id)


@pytest.mark.filterwarnings("ignore:no live worker has announced")
def test_what_a_callback_notes_of_a_lost_run_is_dropped_without_an_error(
    redis_saver: RedisSaver,
) -> None:
    run, journal = begun(redis_saver)
    journal.mark("@step:0", "early")
    journal.flush()

    journal.fail(LeaseLostError("another attempt owns it"))
    journal.mark("@step:1", "late")

    with pytest.raises(LeaseLostError):
        journal.keep("@step:1", "late")
    assert {"@step:0"} == {
        name for name in recorded(redis_saver.connection, run.run_id) if name[0] == "@"
    }


def test_who_begins_to_listen_as_a_step_begins_gets_nothing_without_its_data(
    redis_saver: RedisSaver, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Fact] = []
    attempts: list[Any] = []
    listening = ExitStack()
    plain = RedisJournal.append

    def append(journal: RedisJournal, fact: Fact, text: str, outcome: str = "") -> int:
        seq = plain(journal, fact, text, outcome)
        if fact.mode == "step.started":
            listening.enter_context(attempts[0].listening(heard.append))
        return seq

    monkeypatch.setattr(RedisJournal, "append", append)

    @entrypoint(checkpointer=redis_saver)
    def main(x: int) -> int:
        attempts.append(current.get().scope.attempt)
        return double(x).result()

    with listening:
        assert main.invoke(2, thread()) == 4

    assert [(fact.mode, fact.data["id"]) for fact in heard if fact.mode.startswith("step.")] == [
        ("step.finished", "double:0")
    ]
