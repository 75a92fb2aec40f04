"""What attempts write reaches Redis in order, also when Redis goes away for a while."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from penstock.runtime import (
    Client,
    Command,
    RedisSaver,
    entrypoint,
    get_stream_writer,
    interrupt,
    task,
)
from penstock.runtime.redis.journal.sender import Sender
from tests.runtime.flows import in_background, keys, thread
from tests.support.server import RedisServer


@task
def echo(x: int) -> int:
    get_stream_writer()(x)
    return x


@task
async def aecho(x: int) -> int:
    get_stream_writer()(x)
    return x


@pytest.mark.parametrize("durability", ["sync", "async"])
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_run_outlives_a_restart_of_redis(  # noqa: C901
    start_redis: Callable[..., RedisServer], durability: Any, kind: str
) -> None:
    server = start_redis("--appendonly", "yes", "--appendfsync", "always")
    saver = RedisSaver(server.client())
    halfway, back = threading.Event(), threading.Event()

    def wait_for_redis() -> None:
        halfway.set()
        assert back.wait(5)

    @entrypoint(checkpointer=saver)
    def main(count: int) -> list[int]:
        done: list[int] = []
        for x in range(count):
            done.append(echo(x).result())
            if x == count // 2:
                wait_for_redis()
        interrupt("?")
        return done

    @entrypoint(checkpointer=saver)
    async def amain(count: int) -> list[int]:
        done: list[int] = []
        for x in range(count):
            done.append(await aecho(x))
            if x == count // 2:
                await asyncio.to_thread(wait_for_redis)
        interrupt("?")
        return done

    def run(value: Any) -> Any:
        if kind == "sync":
            return main.invoke(value, thread(), durability=durability)
        return asyncio.run(amain.ainvoke(value, thread(), durability=durability))

    running = in_background(lambda: run(20))
    assert halfway.wait(5)
    server.restart()
    back.set()

    assert "__interrupt__" in running.result(5)
    assert run(Command(resume=1)) == list(range(20))


def test_many_writers_at_once_lose_nothing(redis_saver: RedisSaver) -> None:
    @entrypoint(checkpointer=redis_saver)
    async def main(x: int) -> int:
        return sum(await asyncio.gather(*[aecho(x) for _ in range(20)]))

    async def run() -> list[Any]:
        return list(await asyncio.gather(*[main.ainvoke(x, thread(str(x))) for x in range(20)]))

    assert asyncio.run(run()) == [20 * x for x in range(20)]
    names = keys(redis_saver, "penstock:events:*")
    totals = [redis_saver.connection.llen(name) for name in names]
    assert totals == [3 + 3 * 20] * 20


def test_an_error_about_a_name_that_is_no_text_fails_its_run_and_holds_up_no_other(
    redis_saver: RedisSaver,
) -> None:
    @entrypoint(checkpointer=redis_saver)
    async def main(name: str) -> int:
        if name:
            raise ValueError(f"cannot read {name}")
        return await aecho(1)

    async def run() -> int:
        async with asyncio.timeout(5):
            with pytest.raises(ValueError, match="cannot read"):
                await main.ainvoke("caf\udce9", thread("a"))
            number: int = await main.ainvoke("", thread("b"))
        return number

    assert asyncio.run(run()) == 1
    client = Client(redis_saver.connection)
    failed = [run.reason for run in client.runs("failed")]
    assert failed == [r"ValueError: cannot read caf\udce9"]


def test_what_cannot_be_sent_at_all_ends_its_own_attempt_alone(redis_saver: RedisSaver) -> None:
    @task(name="caf\udce9")
    async def unnameable() -> int:
        return 1

    @entrypoint(checkpointer=redis_saver)
    async def main(kind: str) -> int:
        return await (unnameable() if kind == "corrupt" else aecho(1))

    async def run() -> list[Any]:
        async with asyncio.timeout(5):
            kinds = ["well", "corrupt", "well", "corrupt"]
            attempts = [main.ainvoke(kind, thread(str(n))) for n, kind in enumerate(kinds)]
            return await asyncio.gather(*attempts, return_exceptions=True)

    first, second, third, fourth = asyncio.run(run())
    assert (first, third) == (1, 1)
    assert isinstance(second, UnicodeError)
    assert isinstance(fourth, UnicodeError)


class Letters:
    """An outbox that is told when the sender looks into it."""

    is_due = can_wait = False

    def __init__(self) -> None:
        self.sending = threading.Lock()
        self.opened = threading.Event()

    def next_call(self) -> None:
        self.opened.set()

    def settle(self, reply: object) -> None:
        raise AssertionError(reply)

    def fail(self, error: BaseException) -> None:
        raise error


class LateNotice(dict[Any, None]):
    """Has something noticed just after it was found empty for the n-th time."""

    def __init__(self, looks: int, notice: Callable[[], object]) -> None:
        super().__init__()
        self.looks = looks
        self.notice = notice

    def __len__(self) -> int:
        found = super().__len__()
        self.looks -= 1
        if self.looks == 0:
            self.notice()
        return found


@pytest.mark.parametrize("looks", range(1, 8))
def test_what_is_written_as_the_sender_falls_asleep_is_sent(
    redis_saver: RedisSaver, looks: int
) -> None:
    sender, letters = Sender(redis_saver.connection), Letters()
    vars(sender)["_dirty"] = LateNotice(looks, lambda: sender.notice(letters))

    sender.start()

    assert letters.opened.wait(1)
    sender.close(1)


@pytest.mark.parametrize(("patient", "sent_first"), [(True, 1), (False, 4)])
def test_where_many_have_something_to_send_those_wait_that_can(
    redis_saver: RedisSaver, patient: bool, sent_first: int
) -> None:
    sender = Sender(redis_saver.connection)
    urgent, others = Letters(), [Letters() for _ in range(3)]
    for each in others:
        each.can_wait = patient
    for each in (*others, urgent):
        vars(sender)["_dirty"][each] = None

    sender.start()

    assert urgent.opened.wait(1)
    opened = [each for each in (urgent, *others) if each.opened.is_set()]
    assert len(opened) == sent_first
    for each in others:
        each.can_wait = False
    assert all(each.opened.wait(1) for each in others)
    sender.close(1)
