"""What comes back in a later attempt is what was there: messages, errors, classes of one name."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from pydantic import BaseModel, create_model

from penstock.publisher.errors import NotStoredError
from penstock.publisher.event import Event
from penstock.runtime import (
    Command,
    InMemoryStore,
    entrypoint,
    get_store,
    get_stream_writer,
    interrupt,
    task,
)
from penstock.runtime.errors import ReplayError
from penstock.runtime.store.item import Item, SearchItem
from penstock.runtime.testing import InMemoryWorker
from penstock.runtime.types.state import StateSnapshot, StateTask
from tests.runtime.flows import asked
from tests.support.drive import Drive

pytestmark = [
    pytest.mark.filterwarnings("ignore:no live worker has announced"),
    pytest.mark.open_runs,
]

# -- values of others, and of our own ------------------------------------------------------------


@task
def reply(messages: list[BaseMessage]) -> BaseMessage:
    get_stream_writer().message(AIMessageChunk(content="Hel"), id="m1")
    get_stream_writer().message(AIMessageChunk(content="lo"), id="m1")
    return AIMessage(
        "Hello", id="m1", usage_metadata={"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    )


@entrypoint()
def chat(
    messages: list[BaseMessage], *, previous: list[BaseMessage] | None = None
) -> entrypoint.final[str, list[BaseMessage]]:
    history = [*(previous or []), *messages]
    answer = reply(history).result()
    if interrupt(answer) == "again":
        answer = reply([*history, answer]).result()
    return entrypoint.final(value=str(answer.text), save=[*history, answer])


def test_messages_of_langchain_go_through_steps_questions_and_the_state(drive: Drive) -> None:
    for number in (1, 2):
        question = drive(chat, [HumanMessage("hi", id=f"h{number}")])
        assert [type(each) for each in asked(question)] == [AIMessage]
        assert drive(chat, Command(resume="again")) == "Hello"


def test_streamed_chunks_of_messages_are_those_that_were_written() -> None:
    with InMemoryWorker([chat]) as worker:
        run = worker.client.enqueue(chat, [HumanMessage("hi")], thread_id="t")
        worker.work()
        run.resume("no")
        worker.work()
        chunks = [chunk for _, (chunk, _) in run.stream(["messages"]) if chunk.content != "Hello"]
        saved: Any = worker.client.thread("t").state()

    assert [type(chunk) for chunk in chunks] == [AIMessageChunk] * 2
    assert (chunks[0] + chunks[1]).content == "Hello"
    assert saved.values is not None


def test_values_of_penstock_itself_are_known(drive: Drive) -> None:
    when = datetime(2026, 1, 2, tzinfo=UTC)
    state = StateSnapshot("x", ("flow",), {}, tasks=(StateTask("", "flow"),))
    event = Event(
        seq=1,
        run_id="run",
        thread_id="thread",
        attempt=1,
        mode="custom",
        namespace=(),
        data={"a": 1},
        time=when.timestamp(),
    )

    @task
    def values() -> list[Any]:
        get_store().put(("a",), "k", {"v": 1})
        (found,) = get_store().search(("a",))
        return [get_store().get(("a",), "k"), found, state, event]

    @entrypoint(store=InMemoryStore())
    def flow(_: str) -> list[Any]:
        found = values().result()
        interrupt("go on?")
        kinds: list[Any] = [Item, SearchItem, StateSnapshot, Event]
        return [list(map(type, found)) == kinds, *found[2:]]

    drive(flow, "x")

    assert drive(flow, Command(resume="yes")) == [True, state, event]


# -- errors --------------------------------------------------------------------------------------


class Code(Enum):
    GONE = 410


class Detail(BaseModel):
    code: Code


class Response:
    """As that of an HTTP library."""

    def __init__(self, status_code: int) -> None:
        self.status_code = status_code
        self.lock = threading.Lock()


class StatusError(Exception):
    def __init__(self, message: str, *, response: Response) -> None:
        super().__init__(message)
        self.response = response
        self.detail = Detail(code=Code.GONE)
        self.code = Code.GONE
        self.client = threading.Lock()


@task
def fetch(status: int) -> str:
    try:
        raise KeyError("inner")
    except KeyError as error:
        raise StatusError("failed", response=Response(status)) from error


def test_a_caught_error_is_the_same_when_the_run_goes_on(drive: Drive) -> None:
    @entrypoint()
    def flow(_: str) -> list[Any]:
        found: list[Any] = []
        try:
            fetch(404).result()
        except StatusError as error:
            found += [
                error.response.status_code == 404,
                error.code is Code.GONE and error.detail == Detail(code=Code.GONE),
                type(error.__cause__).__name__,
                type(error) is StatusError,
            ]
        return [*found, interrupt("go on?")]

    drive(flow, "x")

    assert drive(flow, Command(resume="yes")) == [True, True, "KeyError", True, "yes"]


@pytest.mark.parametrize("touch", ["attribute", "getattr", "hasattr", "inside"])
def test_touching_what_was_not_stored_fails_the_run_in_place_of_another_branch(
    drive: Drive, touch: str
) -> None:
    def is_locked(error: Any) -> bool:
        if touch == "attribute":
            return error.client is not None
        if touch == "getattr":
            return getattr(error, "client", None) is not None
        return hasattr(error, "client") if touch == "hasattr" else hasattr(error.response, "lock")

    @entrypoint()
    def flow(_: str) -> Any:
        locked = False
        try:
            fetch(404).result()
        except StatusError as error:
            locked = is_locked(error)
        return interrupt("locked" if locked else "not locked")

    assert asked(drive(flow, "x")) == ["locked"]

    with pytest.raises(NotStoredError, match=r"was not stored: _thread\.lock has no stored form"):
        drive(flow, Command(resume="yes"))


@task
async def fail(kind: str) -> None:
    raise StatusError(kind, response=Response(500)) if kind == "status" else ValueError(kind)


@task
async def judge(results: list[Any]) -> list[str]:
    return [type(each).__name__ for each in results]


@entrypoint()
async def gather(_: str) -> list[Any]:
    calls = (fail("status"), fail("value"))
    results: list[Any] = list(await asyncio.gather(*calls, return_exceptions=True))
    judged = await judge(results)
    interrupt(results[1])
    again = await judge(results)
    return [judged, again, results]


def test_errors_are_values_of_steps_questions_and_results(drive: Drive) -> None:
    if drive.kind == "invoke":
        return  # sync only
    question = drive(gather, "x")
    assert [type(each) for each in asked(question)] == [ValueError]

    judged, again, results = drive(gather, Command(resume="yes"))

    assert judged == again == ["StatusError", "ValueError"]
    assert [type(each) for each in results] == [StatusError, ValueError]
    assert results[0].code is Code.GONE


# -- classes of one name -------------------------------------------------------------------------

Text: Any = create_model("Answer", text=(str, "nothing"))
Score: Any = create_model("Answer", score=(int, 0))


def said() -> Any:
    return Text(text="hello")


def rated() -> Any:
    return Score(score=5)


said.__annotations__["return"], rated.__annotations__["return"] = Text, Score
say, rate = task(said), task(rated)


def test_classes_of_one_name_are_not_mixed(drive: Drive) -> None:
    @entrypoint()
    def flow(_: str) -> list[str]:
        found = [repr(say().result()), repr(rate().result())]
        return [*found, interrupt("go on?")]

    drive(flow, "x")

    assert drive(flow, Command(resume="yes")) == ["Answer(text='hello')", "Answer(score=5)", "yes"]


# -- arguments -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    more: Any


@task
def report(*args: Any, **more: Any) -> int:
    return len(args) + len(more)


def itself(value: Any) -> Any:
    return value


def inside(value: Any) -> Any:
    return [Part((value,))]


def pairs(value: Any) -> Any:
    return {1: value, 2: {"a": value}}


@pytest.mark.parametrize("wrap", [itself, inside, pairs])
def test_the_order_of_keys_is_no_other_argument(drive: Drive, wrap: Any) -> None:
    turn = [0]

    def flow(_: Part) -> list[Any]:
        turn[0] += 1
        keys = ["a", "b"] if turn[0] == 1 else ["b", "a"]
        given = wrap(dict.fromkeys(keys, 1))
        found = report(given, {"x", "y"}, **{key: given for key in keys}).result()
        return [found, interrupt("go on?")]

    body = entrypoint(name="flow")(flow)
    drive(body, Part(1))

    assert drive(body, Command(resume="yes")) == [4, "yes"]
    assert turn == [2]


def test_another_value_is_another_argument(drive: Drive) -> None:
    turn = [0]

    @entrypoint()
    def flow(_: str) -> list[Any]:
        turn[0] += 1
        found = report({"a": turn[0], "b": 1}).result()
        return [found, interrupt("go on?")]

    drive(flow, "x")

    with pytest.raises(ReplayError, match="'report:0'"):
        drive(flow, Command(resume="yes"))
