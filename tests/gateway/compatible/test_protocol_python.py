"""The thread protocol, spoken by LangGraph's client for Python."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal

import pytest
from langgraph_sdk import get_client

from tests.gateway.compatible.served import Served
from tests.support.plain_proxy import PlainProxy

HI = {"messages": [{"role": "user", "content": "hi", "id": "h1"}]}

Transport = Literal["sse", "websocket"]


@asynccontextmanager
async def opened(url: str, assistant: str, **options: Any) -> AsyncGenerator[Any]:
    """Open the stream of a thread."""
    client: Any = get_client(url=url, api_key=None)
    async with client, client.threads.stream(assistant_id=assistant, **options) as thread:
        yield thread


def done(work: Callable[[], Awaitable[Any]]) -> Any:
    """Return what comes of some work, within a time."""

    async def limited() -> Any:
        async with asyncio.timeout(20.0):
            return await work()

    return asyncio.run(limited())


@pytest.fixture(params=["sse", "websocket"])
def transport(request: pytest.FixtureRequest) -> Transport:
    found: Transport = request.param
    return found


def test_a_run_is_begun_and_its_result_is_awaited(served: Served, transport: Transport) -> None:
    async def work() -> Any:
        async with opened(served.url, "doubled", transport=transport) as thread:
            await thread.run.start(input=4)
            return await thread.output

    assert done(work) == {"result": 8}


def test_messages_are_read_word_by_word(served: Served, transport: Transport) -> None:
    async def work() -> Any:
        async with opened(served.url, "talking", transport=transport) as thread:
            await thread.run.start(input=HI)
            said = [message async for message in thread.messages]
            return [[word async for word in each.text] for each in said]

    assert done(work) == [["one", " ", "two", " ", "three"]]


def test_all_projections_are_read_together(served: Served, transport: Transport) -> None:
    async def work() -> Any:
        async with opened(served.url, "calling", transport=transport) as thread:
            await thread.run.start(input="life")
            channels = ["values", "updates", "tasks", "messages", "tool_calls"]
            found = [each async for each in thread.interleave_projections(channels)]
            calls = [item for name, item in found if name == "tool_calls"]
            outputs = [await call.output for call in calls]
            return {name for name, _ in found}, [call.name for call in calls], outputs

    names, calls, outputs = done(work)

    assert names == {"values", "updates", "tasks", "messages", "tool_calls"}
    assert calls == ["look_up"]
    assert [each["content"] for each in outputs] == ["42"]


def test_channels_with_a_name_are_extensions(served: Served) -> None:
    async def work() -> Any:
        async with opened(served.url, "telling") as thread:
            await thread.run.start(input=3)
            return [each["payload"] async for each in thread.extensions["progress"]]

    assert done(work) == [0, 1, 2]


def test_a_question_is_answered(served: Served, transport: Transport) -> None:
    async def work() -> Any:
        async with opened(served.url, "asking", transport=transport) as thread:
            await thread.run.start(input=1)
            async for _ in thread.values:
                pass  # it ends where the run asks
            while not thread.interrupts:
                await asyncio.sleep(0.01)
            asked = [each["value"] for each in thread.interrupts]
            await thread.run.respond(True)
            return asked, await thread.output

    assert done(work) == ([{"approve": 1}], {"answer": True})


def test_a_failure_is_raised(served: Served) -> None:
    async def work() -> Any:
        async with opened(served.url, "broken") as thread:
            await thread.run.start(input=1)
            return await thread.output

    with pytest.raises(RuntimeError, match="ValueError: boom"):
        done(work)


def test_each_turn_of_a_chat_may_have_a_stream_of_its_own(served: Served) -> None:
    thread_id = served.thread()

    async def turn(word: str) -> Any:
        given = {"messages": [{"role": "user", "content": word, "id": word}]}
        async with opened(served.url, "chat", thread_id=thread_id) as thread:
            await thread.run.start(input=given)
            output = await thread.output
        return [each["content"] for each in output["messages"]]

    async def work() -> Any:
        return [await turn(word) for word in ("one", "two", "three")]

    assert done(work) == [
        ["one", "Hello you"],
        ["one", "Hello you", "two", "Hello you"],
        ["one", "Hello you", "two", "Hello you", "three", "Hello you"],
    ]


def test_a_finished_thread_is_read_at_once(served: Served) -> None:
    thread_id = served.thread()
    served.wait(thread_id, "doubled", input=2)

    async def work() -> Any:
        async with opened(served.url, "doubled", thread_id=thread_id) as thread:
            return await thread.output

    assert done(work) == {"result": 4}


@pytest.mark.parametrize("cut_at", [1, 4, 9])
def test_w5_a_stream_goes_on_where_it_was_cut(
    served: Served, transport: Transport, cut_at: int
) -> None:
    proxy = PlainProxy(int(served.url.rpartition(":")[2]))

    async def work() -> Any:
        found: list[Any] = []
        url = f"http://127.0.0.1:{proxy.port}"
        async with opened(url, "paced", transport=transport) as thread:
            await thread.run.start(input={"numbers": 12, "pause": 0.05})
            async for event in thread.subscribe(["custom"]):
                found.append(event["params"]["data"]["payload"])
                if len(found) == cut_at:
                    proxy.cut()
            return found, await thread.output

    assert done(work) == (list(range(12)), 12)
