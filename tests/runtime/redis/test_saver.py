"""Threads: what is remembered, under which id, by which saver."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import uuid
from typing import Any

import pytest

from penstock.publisher.errors import RedisUnavailableError
from penstock.runtime import Command, InMemorySaver, RedisSaver, entrypoint, interrupt, task
from penstock.runtime.errors import ConfigurationError, EmptyInputError
from penstock.runtime.settings import Settings
from tests.runtime.flows import asked, keys, thread
from tests.support.keys import keys_without_ttl


def counter(saver: RedisSaver | None) -> Any:
    @entrypoint(checkpointer=saver)
    def count(x: int, *, previous: int | None = None) -> int:
        return x + (previous or 0)

    return count


ODD = [
    "a",
    "ünï",
    "a:b",
    "{tag}",
    "a b\n",
    "*?[x]",
    "x" * 10_000,
    "\u2028",
    "0",
    "None",
    "penstock:run:x",
]


@pytest.mark.parametrize("name", ODD, ids=lambda name: ascii(name)[:20])
def test_any_text_is_a_thread_id_and_threads_are_apart(saver: RedisSaver, name: str) -> None:
    count = counter(saver)

    count.invoke(1, thread(name))
    count.invoke(100, thread(f"{name}!"))

    assert count.invoke(2, thread(name)) == 3


@pytest.mark.parametrize("given", [7, uuid.UUID(int=7)])
def test_a_thread_id_may_be_a_number_or_a_uuid(saver: RedisSaver, given: Any) -> None:
    count = counter(saver)
    count.invoke(1, thread(given))

    assert count.invoke(2, thread(str(given))) == 3


@pytest.mark.parametrize(
    "config",
    [
        None,
        {},
        {"configurable": {}},
        {"configurable": {"thread_id": ""}},
        {"configurable": {"user": 1}},
    ],
)
def test_a_checkpointer_needs_a_thread(config: Any) -> None:
    count = counter(InMemorySaver())

    with pytest.raises(ConfigurationError, match="thread_id"):
        count.invoke(1, config)
    with pytest.raises(ConfigurationError, match="thread_id"):
        asyncio.run(count.ainvoke(1, config))
    with pytest.raises(ConfigurationError, match="thread_id"):
        list(count.stream(1, config))


def test_without_a_checkpointer_nothing_is_remembered() -> None:
    count = counter(None)

    assert [count.invoke(1), count.invoke(1), count.invoke(1, thread())] == [1, 1, 1]
    with pytest.raises(EmptyInputError):
        count.invoke(None, thread())


def test_two_savers_in_memory_know_nothing_of_each_other() -> None:
    one, two = counter(InMemorySaver()), counter(InMemorySaver())
    one.invoke(1, thread())

    assert two.invoke(1, thread()) == 1
    assert one.invoke(1, thread()) == 2


def test_two_savers_over_one_redis_share_their_threads(redis_saver: RedisSaver) -> None:
    one, two = counter(redis_saver), counter(RedisSaver(redis_saver.connection))
    one.invoke(1, thread())

    assert two.invoke(1, thread()) == 2


def test_prefixes_keep_savers_apart_on_one_redis(redis_saver: RedisSaver) -> None:
    other = RedisSaver(redis_saver.connection, settings=Settings(prefix="other", rq_prefix="rq2"))
    counter(redis_saver).invoke(1, thread())

    assert counter(other).invoke(1, thread()) == 1
    names = {key.partition(":")[0] for key in keys(redis_saver)}
    assert names == {"penstock", "other"}


def test_a_run_in_process_leaves_no_queue_and_no_job_of_rq(redis_saver: RedisSaver) -> None:
    counter(redis_saver).invoke(1, thread())

    assert keys(redis_saver, "rq:*") == []


def test_a_run_that_is_over_leaves_only_keys_that_expire_or_are_indexes(
    redis_saver: RedisSaver,
) -> None:
    @task
    def work(x: int) -> int:
        return x

    @entrypoint(checkpointer=redis_saver)
    def main(x: int) -> Any:
        work(x).result()
        return interrupt("?") if x else x

    main.invoke(0, thread("a"))
    main.invoke(1, thread("b"))
    main.invoke(Command(resume=1), thread("b"))
    main.invoke(1, thread("c"))
    main.invoke(0, thread("c"))

    forever = [
        key
        for key in keys_without_ttl(redis_saver.connection)
        if not key.startswith(("penstock:thread:", "penstock:history:"))
    ]
    assert forever == []


def test_redis_that_is_not_there_is_a_clear_error_and_not_a_hang() -> None:
    count = counter(RedisSaver("redis://127.0.0.1:1/0"))

    with pytest.raises(RedisUnavailableError, match=r"127\.0\.0\.1:1"):
        count.invoke(1, thread())


@pytest.mark.parametrize("value", [0, "", {}, [], False])
def test_falsy_inputs_are_inputs(any_saver: RedisSaver | None, value: Any) -> None:
    @entrypoint(checkpointer=any_saver)
    def main(x: Any) -> Any:
        return [x]

    assert main.invoke(value, thread()) == [value]


# -- previous and final --------------------------------------------------------------------------


def test_previous_is_what_the_last_completed_run_saved(saver: RedisSaver) -> None:
    @entrypoint(checkpointer=saver)
    def main(x: Any, *, previous: Any = "none yet") -> Any:
        if x == "fail":
            raise ValueError
        if x == "ask":
            interrupt("?")
        return [x, previous]

    assert main.invoke(1, thread()) == [1, None]
    with pytest.raises(ValueError):
        main.invoke("fail", thread())
    assert main.invoke(2, thread()) == [2, [1, None]]
    main.invoke("ask", thread())
    assert main.invoke(3, thread()) == [3, [2, [1, None]]]


def test_previous_stays_the_same_within_a_run_that_is_resumed(saver: RedisSaver) -> None:
    @entrypoint(checkpointer=saver)
    def main(x: str, *, previous: Any = None) -> Any:
        seen.append(previous)
        return [x, interrupt("?")]

    seen: list[Any] = []
    main.invoke("a", thread())
    main.invoke(Command(resume=1), thread())
    main.invoke("b", thread())
    main.invoke(Command(resume=2), thread())

    assert seen == [None, None, ["a", 1], ["a", 1]]


@pytest.mark.parametrize(
    ("value", "save"), [(1, 2), (None, 2), (1, None), (None, None), ((1,), {2})]
)
def test_final_sets_result_and_saved_value_apart(saver: RedisSaver, value: Any, save: Any) -> None:
    @entrypoint(checkpointer=saver)
    def main(x: str, *, previous: Any = None) -> Any:
        return entrypoint.final(value=value, save=save) if x == "set" else [previous]

    assert list(main.stream("set", thread(), stream_mode=["updates", "values"])) == [
        ("updates", {"main": value}),
        ("values", value),
    ]
    assert main.invoke(None, thread()) == value
    assert main.invoke("get", thread()) == [save]


def test_final_works_without_a_checkpointer() -> None:
    @entrypoint()
    def main(_: str) -> Any:
        return entrypoint.final(value=1, save=2)

    assert main.invoke("x") == 1
    assert asyncio.run(main.ainvoke("x")) == 1


def test_tasks_get_previous_too(saver: RedisSaver) -> None:
    @task
    def look(previous: Any = None) -> Any:
        return previous

    @entrypoint(checkpointer=saver)
    def main(x: int) -> Any:
        return [x, look().result()]

    main.invoke(1, thread())
    assert main.invoke(2, thread()) == [2, [1, None]]


def test_an_interrupted_run_is_not_previous(saver: RedisSaver) -> None:
    @entrypoint(checkpointer=saver)
    def main(x: int, *, previous: Any = None) -> Any:
        return [previous, interrupt("?")] if x == 1 else [previous]

    assert asked(main.invoke(1, thread())) == ["?"]
    assert main.invoke(2, thread()) == [None]


STOPPED = """
import os, signal, subprocess, time
from penstock.runtime import InMemorySaver, entrypoint, task
from penstock.runtime.settings import Settings

@task
def stop() -> str:
    subprocess.Popen(["sh", "-c", f"sleep 1; kill -CONT {os.getpid()}"])
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(0.2)  # as long as its leases take to be renewed
    return "went on"

@entrypoint(checkpointer=InMemorySaver(settings=Settings(lease=0.5, renew=0.05)))
def flow(_: str) -> str:
    return stop().result()

print(flow.invoke("", {"configurable": {"thread_id": "t"}}))
"""


def test_a_run_in_memory_goes_on_after_its_process_was_stopped() -> None:
    done = subprocess.run([sys.executable, "-c", STOPPED], capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("went on\n", "")
