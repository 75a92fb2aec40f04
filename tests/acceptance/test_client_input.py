"""Bad input: a clear error, and nothing half-written."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Callable
from typing import Any, cast

import pytest
import redis

from penstock.publisher.errors import CodecError
from penstock.runtime import AsyncClient, Client, Command
from penstock.runtime.errors import (
    ConfigurationError,
    InputError,
    ResumeError,
    RunConflictError,
    RunFailedError,
    RunNotFoundError,
    WrongKindError,
)
from penstock.runtime.settings import Settings
from penstock.runtime.types.run import RunStatus
from tests.faults.support import flows
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import Fleet
from tests.support.until import until

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")

Enqueue = Callable[..., Any]


@pytest.fixture(params=["sync", "asyncio"])
def enqueue(request: pytest.FixtureRequest, redis_url: str) -> Enqueue:
    """Enqueues as a client of each kind does."""

    async def with_asyncio(*args: Any, **options: Any) -> None:
        async with AsyncClient(redis_url) as client:
            await client.enqueue(*args, **options)

    def sync(*args: Any, **options: Any) -> None:
        with Client(redis_url) as client:
            client.enqueue(*args, **options)

    return sync if request.param == "sync" else lambda *a, **o: asyncio.run(with_asyncio(*a, **o))


def keys(raw: redis.Redis) -> set[bytes]:
    return set(cast("list[bytes]", raw.keys()))


REFUSED: list[Any] = [
    pytest.param(InputError, ("steps", flows.steps), {"steps": "many"}, {}, id="input"),
    pytest.param(InputError, ("steps", flows.steps), None, {}, id="none"),
    pytest.param(InputError, ("main", flows.main), {"x": "a"}, {}, id="item"),
    pytest.param(CodecError, ("x", "x"), {"a": [1, object()]}, {}, id="unencodable"),
    pytest.param(CodecError, ("x", "x"), "x" * 9_000_000, {}, id="too large"),
    pytest.param(CodecError, ("x", "x"), 1, {"context": threading.Lock()}, id="context"),
    pytest.param(CodecError, ("x", "x"), 1, {"config": {"a": object()}}, id="config"),
    pytest.param(ConfigurationError, ("x", "x"), 1, {"run_id": ""}, id="empty run id"),
    pytest.param(ConfigurationError, ("x", "x"), 1, {"run_id": "a:b"}, id="run id with colon"),
    pytest.param(ConfigurationError, ("x", "x"), 1, {"run_id": "a\n"}, id="run id with newline"),
    pytest.param(ConfigurationError, ("x", "x"), 1, {"run_id": "x" * 129}, id="long run id"),
    pytest.param(ConfigurationError, ("x", "x"), 1, {"thread_id": ""}, id="empty thread id"),
    pytest.param(ConfigurationError, ("x", "x"), 1, {"thread_id": "x" * 65_537}, id="long thread"),
    pytest.param(ConfigurationError, ("x", "x"), 1, {"thread_id": "\ud800"}, id="surrogate"),
    pytest.param(ConfigurationError, ("x", "x"), 1, {"queue": "a:intermediate"}, id="queue"),
    pytest.param(ConfigurationError, ("x", "x"), 1, {"queue": "a\n"}, id="queue with newline"),
    pytest.param(ConfigurationError, ("x", "x"), 1, {"on_busy": "explode"}, id="on_busy"),
    pytest.param(ConfigurationError, ("x", "x"), 1, {"durability": "maybe"}, id="durability"),
    pytest.param(WrongKindError, ("config is a dict", "x"), 1, {"config": "x"}, id="no config"),
    pytest.param(
        WrongKindError, ("'metadata'", "x"), 1, {"config": {"metadata": [1]}}, id="metadata"
    ),
    pytest.param(
        ConfigurationError, ("least 1", "x"), 1, {"config": {"max_concurrency": -1}}, id="limit"
    ),
    pytest.param(WrongKindError, ("not 5", 5), 1, {}, id="no entrypoint"),
    pytest.param(WrongKindError, ("<task 'step'>", flows.step), 1, {}, id="task"),
    pytest.param(ResumeError, ("run.resume(answer)", "x"), Command(resume=1), {}, id="command"),
]


@pytest.mark.parametrize(("error", "entrypoint", "argument", "options"), REFUSED)
def test_what_cannot_be_enqueued_leaves_no_key(
    error: type[Exception],
    entrypoint: tuple[str, Any],
    argument: Any,
    options: dict[str, Any],
    enqueue: Enqueue,
    redis_client: redis.Redis,
) -> None:
    before = keys(redis_client)

    with pytest.raises(error) as caught:
        enqueue(entrypoint[1], argument, **options)

    assert entrypoint[0] in str(caught.value) or (entrypoint[0] == "x" and options)
    assert len(str(caught.value)) < 2_000
    assert keys(redis_client) == before == set()


def test_an_input_error_tells_pydantics_detail(redis_url: str) -> None:
    with Client(redis_url) as client, pytest.raises(InputError) as caught:
        client.enqueue(flows.steps, {"steps": "many"})

    assert "steps" in str(caught.value)
    assert caught.value.__cause__ is not None


def test_the_error_of_a_value_that_cannot_be_written_names_its_place(redis_url: str) -> None:
    with Client(redis_url) as client, pytest.raises(CodecError) as caught:
        client.enqueue("flow", {"a": [1, threading.Lock()]})

    assert "input of entrypoint 'flow'" in str(caught.value)
    assert "$.a[1]" in str(caught.value)
    assert "lock" in str(caught.value)


def test_the_error_of_a_large_value_names_the_limit(redis_url: str) -> None:
    settings = Settings(redis=redis_url, value_limit=1000)
    with Client(redis_url, settings=settings) as client, pytest.raises(CodecError) as caught:
        client.enqueue("flow", "x" * 2000)

    assert "1000" in str(caught.value) or "1,000" in str(caught.value)
    assert "value_limit" in str(caught.value)


# -- at the worker ------------------------------------------------------------------------------


def test_input_by_name_is_checked_by_the_worker(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    fleet.start()
    run = client.enqueue("steps", {"steps": "many"})

    with pytest.raises(RunFailedError, match="InputError") as caught:
        run.result(5)

    assert isinstance(caught.value.__cause__, InputError)
    assert "steps" in str(caught.value.__cause__)
    assert fleet.journal(run.run_id) == []
    checker.check(over=True)


def test_a_run_of_an_unknown_entrypoint_waits_for_a_worker_that_has_it(
    fleet: Fleet, client: Client, checker: Checker, raw: redis.Redis
) -> None:
    fleet.start()
    with pytest.warns(UserWarning, match="no live worker has announced entrypoint 'nothing'"):
        run = client.enqueue("nothing", 1)

    until(lambda: raw.hget(f"penstock:run:{run.run_id}", "parked") == b"e:nothing")

    assert run.status() is RunStatus.QUEUED
    checker.check()


@pytest.mark.filterwarnings("error:no live worker has announced")
def test_an_announced_entrypoint_brings_no_warning(fleet: Fleet, client: Client) -> None:
    fleet.start()

    assert client.enqueue("main", {"x": 1}).result(5) == 2


def test_f56_a_value_that_cannot_be_written_fails_its_step(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    fleet.start()
    run = client.enqueue("locked_step", None)

    with pytest.raises(RunFailedError, match="CodecError") as caught:
        run.result(5)

    assert "lock:0" in str(caught.value)
    assert "$.a[1]" in str(caught.value)
    assert run.info().attempt == 1
    checker.check(over=True)


def test_a_result_that_cannot_be_written_fails_its_run(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    fleet.start()
    run = client.enqueue("locked", None)

    with pytest.raises(RunFailedError, match=r"CodecError.*result of the run"):
        run.result(5)

    checker.check(over=True)


def test_f55_a_step_over_the_limit_fails_and_others_go_on(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    fleet.start(environ={"PENSTOCK_VALUE_LIMIT": "100000"})
    over = client.enqueue("large", 200_000)
    within = client.enqueue("large", 90_000)

    with pytest.raises(RunFailedError, match=r"ValueTooLargeError.*blob:0"):
        over.result(5)

    assert within.result(5) == 90_000
    checker.check(over=True)


def test_f55_a_large_value_travels_whole(fleet: Fleet, client: Client, checker: Checker) -> None:
    fleet.start()

    run = client.enqueue("large", 8_000_000)

    assert run.result(20) == 8_000_000
    checker.check(over=True)


# -- ids ----------------------------------------------------------------------------------------

ODD_THREADS = [
    "é ü 漢字",
    "\U0001f600",
    "a:b:{c}:*?[x]",
    "{x}",
    "x" * 10_000,
    "a\0b",
    "\n\r\t ",
    "../../etc/passwd",
    "%s %d {0} {}",
    "unicode caf\u00e9",
    "unicode cafe\u0301",
    "\u202egnirts",
    "'; FLUSHALL; --",
    '"\\"',
]


def test_f63_odd_thread_ids_are_kept_apart_and_given_back(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    fleet.start()
    for number, thread_id in enumerate(ODD_THREADS):
        client.enqueue("add", number, thread_id=thread_id)

    runs = [client.enqueue("add", 100, thread_id=thread_id) for thread_id in ODD_THREADS]

    assert [run.result(10) for run in runs] == [100 + number for number in range(len(ODD_THREADS))]
    assert [client.get(run.run_id).thread_id for run in runs] == ODD_THREADS
    for run, thread_id in zip(runs, ODD_THREADS, strict=True):
        assert {event.thread_id for event in run.stream(["values", "debug"])} == {thread_id}
    assert len({run["thread_key"] for run in checker.check(over=True).runs().values()}) == len(
        ODD_THREADS
    )


def test_ids_may_be_numbers_and_uuids_which_are_written_as_text(
    fleet: Fleet, client: Client
) -> None:
    fleet.start()
    run_id: Any = uuid.uuid4()
    thread_id: Any = 7

    run = client.enqueue("add", 1, run_id=run_id, thread_id=thread_id)
    other = client.enqueue("add", 2, config={"configurable": {"thread_id": thread_id}})

    assert [run.result(5), other.result(5)] == [1, 3]
    assert (run.run_id, run.thread_id, other.thread_id) == (str(run_id), "7", "7")


@pytest.mark.parametrize(
    ("options", "message"),
    [({"limit": 0}, "at least 1, not 0"), ({"status": "done"}, "is one of queued, running, ")],
)
def test_a_list_of_runs_that_cannot_be_is_refused(
    redis_url: str, options: Any, message: str
) -> None:
    with Client(redis_url) as client, pytest.raises(ConfigurationError, match=message):
        client.runs(**options)


def test_the_null_thread_is_a_runs_own(fleet: Fleet, client: Client) -> None:
    fleet.start()

    runs = [client.enqueue("add", 1) for _ in range(2)]

    assert [run.result(5) for run in runs] == [1, 1]
    assert [run.thread_id for run in runs] == [run.run_id for run in runs]


def test_nothing_is_found_under_an_unknown_id(redis_url: str) -> None:
    with Client(redis_url) as client:
        for run_id in ("unknown", "leases"):
            with pytest.raises(RunNotFoundError, match=run_id):
                client.get(run_id)
        with pytest.raises(ConfigurationError):
            client.get("a:b")


# -- once ---------------------------------------------------------------------------------------


def test_f37_fifty_enqueues_of_one_id_are_one_run(
    fleet: Fleet, client: Client, checker: Checker, raw: redis.Redis
) -> None:
    barrier = threading.Barrier(50)
    found: list[str] = []

    def enqueue() -> None:
        with Client(fleet.url) as own:
            barrier.wait()
            found.append(own.enqueue("add", 1, run_id="one", thread_id="t").run_id)

    threads = [threading.Thread(target=enqueue) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == ["one"] * 50
    assert raw.lrange("rq:queue:default", 0, -1) == [b"one"]
    fleet.start()
    assert client.get("one").result(5) == 1
    assert client.enqueue("add", 1, run_id="one", thread_id="t").result(5) == 1
    assert fleet.executions("one") == {"": 1}
    checker.check(over=True)


@pytest.mark.parametrize(
    ("entrypoint", "argument", "thread_id"),
    [("add", 2, "t"), ("slow_add", 1, "t"), ("add", 1, "u"), ("add", 1, None)],
)
def test_an_id_that_is_taken_by_another_request_is_a_conflict(
    client: Client, checker: Checker, entrypoint: str, argument: int, thread_id: str | None
) -> None:
    client.enqueue("add", 1, run_id="one", thread_id="t")
    before = checker.check()

    with pytest.raises(RunConflictError, match="'one'"):
        client.enqueue(entrypoint, argument, run_id="one", thread_id=thread_id)

    after = checker.check()
    assert after.hashes == before.hashes
    assert after.members == before.members


def test_a_repeated_enqueue_leaves_the_run_as_it_is(fleet: Fleet, client: Client) -> None:
    fleet.start()
    run = client.enqueue("ask", "well?", run_id="one")
    run.result(5)

    again = client.enqueue("ask", "well?", run_id="one")

    assert again.status() is RunStatus.SUSPENDED
    again.resume("fine")
    assert run.result(5) == [1, "fine", 2]


# -- answers ------------------------------------------------------------------------------------


def test_an_answer_that_cannot_be_written_leaves_the_run_waiting(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    fleet.start()
    run = client.enqueue("ask", "well?")
    run.result(5)
    before = checker.check()

    with pytest.raises(CodecError, match="answer"):
        run.resume({"a": threading.Lock()})

    assert checker.check().hashes.keys() == before.hashes.keys()
    assert run.status() is RunStatus.SUSPENDED


def test_an_answer_nobody_asked_for_is_refused(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    fleet.start()
    run = client.enqueue("main", {"x": 1})
    run.result(5)

    with pytest.raises(ResumeError, match="completed"):
        run.resume("no")
    with pytest.raises(ResumeError, match="completed"):
        run.resume()

    checker.check(over=True)
