"""Types that calls have, for mypy and pyright; nothing here is executed."""

from __future__ import annotations

from typing import Any, assert_type

from penstock.runtime import (
    CachePolicy,
    Command,
    GraphOutput,
    InMemorySaver,
    RetryPolicy,
    RunControl,
    Runtime,
    entrypoint,
    get_runtime,
    task,
)
from penstock.runtime.engine.waiting.future import StepFuture
from penstock.runtime.func.task import Task
from penstock.runtime.streaming.stream_event import StreamEvent
from penstock.runtime.workflow.drawing import Graph
from penstock.runtime.workflow.entrypoint import AnyEntrypoint, Entrypoint


@task
def sync(x: int, *, y: str = "") -> float:
    return x + len(y)


@task
async def asynchronous(x: int) -> list[str]:
    return [str(x)]


@task(name="other", retry_policy=RetryPolicy(max_attempts=2))
def with_options(x: bytes) -> int:
    return len(x)


@task(name="other", retry_policy=3, on_change="rerun", was=("older", "oldest"))
async def async_with_options(x: bytes) -> int:
    return len(x)


def plain(x: int) -> str:
    return str(x)


async def aplain(x: int) -> str:
    return str(x)


wrapped = task(plain)
wrapped_named = task(plain, name="named")
awrapped_named = task(aplain, name="named")


class Shop:
    @task
    def price(self, item: str) -> float:
        return len(item)

    @task
    async def order(self, item: str, *, count: int = 1) -> list[str]:
        return count * [item]


assert_type(Shop().price("tea"), StepFuture[float])
assert_type(Shop().order("tea", count=2), StepFuture[list[str]])
assert_type(Shop().price.keyed("tea")("tea"), StepFuture[float])
assert_type(Shop.price(Shop(), "tea"), StepFuture[float])

assert_type(sync(1), StepFuture[float])
assert_type(sync(1, y="a").result(), float)
assert_type(asynchronous(1), StepFuture[list[str]])
assert_type(asynchronous(1).result(), list[str])
assert_type(with_options(b""), StepFuture[int])
assert_type(async_with_options(b""), StepFuture[int])
assert_type(wrapped(1), StepFuture[str])
assert_type(wrapped_named(1), StepFuture[str])
assert_type(awrapped_named(1), StepFuture[str])
assert_type(sync.keyed("k")(1, y="a"), StepFuture[float])
assert_type(asynchronous.keyed("k")(1), StepFuture[list[str]])


async def awaiting() -> None:
    assert_type(await sync(1), float)
    assert_type(await asynchronous(1), list[str])
    assert_type(await with_options(b""), int)
    assert_type(await asynchronous.keyed("k")(1), list[str])


@entrypoint()
def flow(x: dict[str, int]) -> int:
    return x["a"]


@entrypoint(checkpointer=InMemorySaver(), name="other")
async def aflow(x: dict[str, int]) -> str:
    return str(x)


@entrypoint(checkpointer=True, cache_policy=CachePolicy(ttl=1), context_schema=dict)
def child(x: int, *, runtime: Runtime[dict[str, int]]) -> int:
    return runtime.context["a"]


@entrypoint(checkpointer=False)
async def achild(x: int) -> str:
    return str(x)


async def calls() -> None:
    assert_type(await achild.ainvoke(1), str)
    assert_type(await child.ainvoke(None), int)
    assert_type(await achild.ainvoke(Command(resume=1), durability="sync"), str)
    assert_type(await achild.ainvoke(1, stream_mode=["updates"]), Any)
    assert_type(await achild.ainvoke(1, version="v2"), GraphOutput[str])


async def batches() -> None:
    assert_type(await achild.abatch([1, 2]), list[str])
    async for number, result in achild.abatch_as_completed([1, 2]):
        assert_type(number, int)
        assert_type(result, str)
    for number, got in child.batch_as_completed([1, 2]):
        assert_type((number, got), tuple[int, int])


async def events() -> None:
    async for event in flow.astream_events({"a": 1}, include_names=["sync"], stream_mode="custom"):
        assert_type(event, StreamEvent)
    async for name, found in aflow.aget_subgraphs(recurse=True):
        assert_type((name, found), tuple[str, AnyEntrypoint])
    assert_type(await aflow.aget_graph(), Graph)


@entrypoint()
def with_previous(x: int, *, previous: int | None = None) -> int:
    return x + (previous or 0)


assert_type(flow, Entrypoint[dict[str, int], int])
assert_type(flow.invoke({"a": 1}), int)
assert_type(flow.invoke(None), int)
assert_type(flow.invoke(Command(resume=1)), int)
assert_type(flow.invoke({"a": 1}, stream_mode="updates"), Any)
assert_type(flow.invoke({"a": 1}, version="v2"), GraphOutput[int])
assert_type(flow.invoke({"a": 1}, version="v2").value, int)
assert_type(flow.invoke({"a": 1}, context=1, durability="sync", control=RunControl()), int)
assert_type(flow.batch([{"a": 1}]), list[int])
assert_type(flow.copy({"name": "copy"}), Entrypoint[dict[str, int], int])
assert_type(flow.with_config(tags=["a"]).invoke({"a": 1}), int)
assert_type(get_runtime(str).context, str)
assert_type(get_runtime().context, Any)
assert_type(Runtime(context=1).override(store=2), Runtime[int])
assert_type(aflow, Entrypoint[dict[str, int], str])
assert_type(with_previous.invoke(1), int)


class Service:
    def __init__(self) -> None:
        self.step = task(self.work)

    def work(self, x: int) -> str:
        return str(x)


assert_type(Service().step(1), StepFuture[str])


def takes_task(work: Task[[int], str]) -> StepFuture[str]:
    return work(1)


assert_type(takes_task(wrapped), StepFuture[str])
