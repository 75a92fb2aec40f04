from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from penstock.publisher.errors import ConfigurationError
from penstock.runtime import (
    AsyncClient,
    Client,
    RetryPolicy,
    entrypoint,
    interrupt,
    task,
)
from penstock.runtime.journal.trace_context import TraceContext, open_tracer
from penstock.runtime.settings import Settings
from penstock.runtime.telemetry import traces as module
from penstock.runtime.telemetry.traces import RunTraces
from penstock.worker import Worker

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")


def own(name: str) -> None:
    """As a library does that is instrumented: a span below the current one."""
    with trace.get_tracer("app").start_as_current_span(name):
        pass


@task
def inner(x: int) -> int:
    own("in inner")
    return x


@task
def outer(x: int) -> int:
    own("in outer")
    return inner(x).result()


@task
async def async_outer(x: int) -> int:
    own("in async outer")
    return await inner(x)


@task(retry_policy=RetryPolicy(max_attempts=2, initial_interval=0.01))
def flaky(x: int) -> int:
    raise ConnectionError(f"no {x}")


@task(queue="away")
def far(x: int) -> int:
    return x


@entrypoint()
def nested(x: int) -> int:
    own("in the body")
    return outer(x).result()


@entrypoint()
async def nested_async(x: int) -> int:
    return await async_outer(x)


@entrypoint()
def fails(x: int) -> int:
    return flaky(x).result()


@entrypoint()
def asks(x: int) -> list[Any]:
    inner(x).result()
    return [interrupt("more?"), inner(2 * x).result()]


@entrypoint()
def sends(x: int) -> int:
    return far(x).result()


@entrypoint(version="7")
def versioned(x: int) -> int:
    return x


FLOWS = {each.name: each for each in (nested, nested_async, fails, asks, sends, versioned)}


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    yield exporter
    provider.shutdown()


Work = Callable[..., None]


@pytest.fixture
def work(redis_url: str) -> Work:
    def work(queue: str = "default") -> None:
        worker = Worker(
            [queue],
            connection=redis_url,
            entrypoints=FLOWS,
            tasks={far.name: far},
            observer=RunTraces(),
        )
        worker.work(burst=True)

    return work


@pytest.fixture
def client(redis_url: str) -> Iterator[Client]:
    with Client(redis_url, settings=Settings(redis=redis_url, traces=True)) as client:
        yield client


def tree(exporter: InMemorySpanExporter) -> dict[str, str]:
    """The names of spans, each with that of its parent; a name that is there again has a number."""
    spans = sorted(exporter.get_finished_spans(), key=lambda span: span.start_time or 0)
    names: dict[int, str] = {}
    for span in spans:
        count = sum(name.partition(" #")[0] == span.name for name in names.values())
        names[_id(span)] = f"{span.name} #{count + 1}" if count else span.name
    return {
        names[_id(span)]: names.get(span.parent.span_id, "?") if span.parent is not None else ""
        for span in spans
    }


def _id(span: ReadableSpan) -> int:
    context = span.get_span_context()
    assert context is not None
    return context.span_id


def one(exporter: InMemorySpanExporter, name: str) -> ReadableSpan:
    (found,) = (each for each in exporter.get_finished_spans() if each.name == name)
    return found


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def test_a_run_and_its_steps_are_below_its_enqueue(
    exported: InMemorySpanExporter, client: Client, work: Work
) -> None:
    run = client.enqueue("nested", 1, thread_id="t")
    work()

    assert run.result(5) == 1
    assert tree(exported) == {
        "enqueue nested": "",
        "run nested": "enqueue nested",
        "in the body": "run nested",
        "step outer": "run nested",
        "in outer": "step outer",
        "step inner": "step outer",
        "in inner": "step inner",
    }
    assert {
        "penstock.run.id": run.run_id,
        "penstock.thread.id": "t",
        "penstock.attempt": 1,
    }.items() <= (attributes(one(exported, "run nested")).items())
    assert attributes(one(exported, "run nested"))["penstock.outcome"] == "completed"
    client.thread("t").delete()


def test_a_span_says_which_version_of_its_code_a_run_has(
    exported: InMemorySpanExporter, client: Client, work: Work
) -> None:
    for name in ("versioned", "nested"):
        client.enqueue(name, 1)
    work()

    assert attributes(one(exported, "run versioned"))["penstock.version"] == "7"
    assert "penstock.version" not in attributes(one(exported, "run nested"))


def test_async_steps_are_the_same(
    exported: InMemorySpanExporter, redis_url: str, work: Work
) -> None:
    async def enqueue() -> None:
        settings = Settings(redis=redis_url, traces=True)
        async with AsyncClient(redis_url, settings=settings) as client:
            await client.enqueue("nested_async", 1)

    asyncio.run(enqueue())
    work()

    assert tree(exported) == {
        "enqueue nested_async": "",
        "run nested_async": "enqueue nested_async",
        "step async_outer": "run nested_async",
        "in async outer": "step async_outer",
        "step inner": "step async_outer",
        "in inner": "step inner",
    }


def test_a_step_that_fails_says_so_with_its_tries(
    exported: InMemorySpanExporter, client: Client, work: Work
) -> None:
    client.enqueue("fails", 1)
    work()

    step, run = one(exported, "step flaky"), one(exported, "run fails")
    assert [event.name for event in step.events] == ["retry", "exception"]
    assert (step.events[0].attributes or {})["exception.message"] == "no 1"
    assert (step.status.is_ok, run.status.is_ok) == (False, False)
    assert (step.status.description, run.status.description) == ("ConnectionError",) * 2


def test_no_span_is_open_while_a_run_waits(
    exported: InMemorySpanExporter, client: Client, work: Work
) -> None:
    run = client.enqueue("asks", 1)
    work()
    assert tree(exported) == {
        "enqueue asks": "",
        "run asks": "enqueue asks",
        "step inner": "run asks",
        "in inner": "step inner",
    }

    run.resume(5)
    work()

    assert run.result(5) == [5, 2]
    assert tree(exported)["run asks #2"] == "run asks", "soon after the last attempt"
    assert tree(exported)["step inner #2"] == "run asks #2", "and no span of the recorded step"


def test_an_attempt_much_later_begins_a_trace_with_a_link(
    exported: InMemorySpanExporter, client: Client, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FRESH", -1.0)
    run = client.enqueue("asks", 1)
    work()
    run.resume(5)
    work()

    first, second = (each for each in exported.get_finished_spans() if each.name == "run asks")
    assert (first.parent, second.parent) == (None, None)
    assert [link.context.span_id for link in second.links] == [_id(first)]
    assert [link.context.span_id for link in first.links] == [_id(one(exported, "enqueue asks"))]


@pytest.mark.parametrize("skew", [-600.0, 600.0])
def test_a_clock_that_is_wrong_parts_no_run_from_its_enqueue(
    client: Client,
    work: Work,
    exported: InMemorySpanExporter,
    monkeypatch: pytest.MonkeyPatch,
    skew: float,
) -> None:
    real = time.time
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(time, "time", lambda: real() + skew)
        client.enqueue("nested", 1)
    work()

    assert tree(exported)["run nested"] == "enqueue nested"


def test_a_run_that_waited_for_long_begins_a_trace_of_its_own_whatever_clocks_say(
    client: Client, work: Work, exported: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = client.enqueue("nested", 1)
    connection: Any = client.connection
    key = f"penstock:run:{run.run_id}"
    connection.hincrby(key, "created", -61_000)
    connection.zincrby("penstock:open:all", -61_000, run.run_id)
    connection.zincrby("penstock:open:entrypoint:nested", -61_000, run.run_id)
    work()

    assert tree(exported)["run nested"] == ""


def test_a_remote_step_is_in_the_trace_of_its_run(
    exported: InMemorySpanExporter, client: Client, work: Work
) -> None:
    run = client.enqueue("sends", 7)
    for queue in ("default", "away", "default"):
        work(queue)

    assert run.result(5) == 7
    assert tree(exported) == {
        "enqueue sends": "",
        "run sends": "enqueue sends",
        "perform far": "run sends",
        "step far": "perform far",
        "run sends #2": "run sends",
    }
    assert attributes(one(exported, "perform far"))["penstock.run.id"] == run.run_id


def test_without_the_setting_there_is_no_span_and_nothing_is_stored(
    exported: InMemorySpanExporter, redis_url: str, redis_client: redis.Redis
) -> None:
    with Client(redis_url) as client:
        run = client.enqueue("nested", 1)
        Worker(["default"], connection=redis_url, entrypoints=FLOWS).work(burst=True)

        assert run.result(5) == 1
    assert [name for name in tree(exported) if not name.startswith("in ")] == []
    assert not redis_client.hexists(f"penstock:checkpoints:{run.run_id}", "trace")


def test_a_trace_is_stored_as_a_traceparent() -> None:
    context = TraceContext(0xA, 0xB, 1, 1.5)

    assert context.write() == f"00-{'a':0>32}-{'b':0>16}-01 1500"
    assert TraceContext.read(context.write()) == context
    assert TraceContext.read("00-x") is None


def test_without_opentelemetry_the_setting_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.trace", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'penstock\[otel\]'"):
        open_tracer()
