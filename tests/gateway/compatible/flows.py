"""Entrypoints and graphs that workers of these tests execute."""

from __future__ import annotations

import operator
import time
from typing import Annotated, Any, TypedDict

from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AnyMessage
from langgraph.config import get_stream_writer as graph_writer
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import interrupt as graph_interrupt

from penstock.langgraph import host
from penstock.runtime import RetryPolicy, entrypoint, get_stream_writer, interrupt, task

# -- entrypoints --------------------------------------------------------------------------------


@task
def double(x: int) -> int:
    get_stream_writer()({"doubling": x})
    return 2 * x


@entrypoint()
def doubled(x: int) -> dict[str, int]:
    return {"result": double(x).result()}


@entrypoint()
def counting(n: int) -> int:
    """Write n numbers, one after the other."""
    write = get_stream_writer()
    for number in range(n):
        write(number)
    return n


@entrypoint()
def paced(work: dict[str, Any]) -> int:
    """Write numbers with a pause before each."""
    write = get_stream_writer()
    for number in range(work["numbers"]):
        time.sleep(work["pause"])
        write(number)
    return int(work["numbers"])


@entrypoint()
def broken(x: int) -> int:
    double(x).result()
    raise ValueError("boom")


@task(retry_policy=RetryPolicy(max_attempts=3, initial_interval=0.01))
def flaky(name: str) -> str:
    """Say half a sentence, fail, and say it all."""
    write: Any = get_stream_writer()
    key = f"said:{name}"
    write.message("half ", id=f"m-{name}")
    if key not in _said:
        _said.add(key)
        raise ConnectionError("lost")
    write.message("a sentence", id=f"m-{name}")
    return "done"


_said: set[str] = set()


@entrypoint()
def stammering(name: str) -> dict[str, Any]:
    flaky(name).result()
    return {"messages": [{"role": "assistant", "content": "half a sentence", "id": f"m-{name}"}]}


@entrypoint()
def asking(x: int) -> dict[str, Any]:
    get_stream_writer()("before")
    answer = interrupt({"approve": x}, response_schema=bool)
    get_stream_writer()("after")
    return {"answer": answer}


@task
def ask(name: str) -> str:
    return str(interrupt(name))


@entrypoint()
def asking_twice(x: int) -> list[str]:
    futures = [ask("a"), ask("b")]
    return [future.result() for future in futures]


@task
def once_broken(name: str) -> str:
    if name not in _said:
        _said.add(name)
        raise ValueError("boom")
    return name


@entrypoint()
def mended(name: str) -> str:
    get_stream_writer()("beginning")
    return once_broken(name).result()


@entrypoint()
def chat(state: dict[str, Any], *, previous: dict[str, Any] | None = None) -> dict[str, Any]:
    """Answer the last message, word by word."""
    write: Any = get_stream_writer()
    said = [*(previous or {"messages": []})["messages"], *state["messages"]]
    name = f"ai-{len(said)}"
    for word in ("Hello", " you"):
        write.message(word, id=name)
    return {"messages": [*said, {"role": "assistant", "content": "Hello you", "id": name}]}


@entrypoint()
def asking_chat(state: dict[str, Any]) -> dict[str, Any]:
    answer = interrupt("sure?")
    return {"messages": [*state["messages"], {"role": "assistant", "content": answer, "id": "a"}]}


@entrypoint()
def calling(question: str) -> dict[str, Any]:
    """Ask a tool, which answers."""
    call = {"id": "call-1", "name": "look_up", "args": {"of": question}}
    asked = {"role": "assistant", "content": "wait", "id": "ai-1", "tool_calls": [call]}
    answer = {"role": "tool", "content": "42", "tool_call_id": "call-1", "id": "t-1"}
    return {"messages": [asked, answer]}


@entrypoint()
def telling(steps: int) -> int:
    """Write to a channel that has a name."""
    write = get_stream_writer()
    for step in range(steps):
        write({"name": "progress", "payload": step})
    write("no name")
    return steps


@entrypoint()
def nesting(x: int) -> Any:
    return doubled.invoke(x)


# -- graphs ---------------------------------------------------------------------------------------


class Chat(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


def talk(state: Chat) -> dict[str, Any]:
    model = GenericFakeChatModel(messages=iter([AIMessage("one two three", id="ai-graph")]))
    return {"messages": [model.invoke(state["messages"])]}


class Log(TypedDict):
    log: Annotated[list[str], operator.add]


def first(_: Log) -> dict[str, Any]:
    graph_writer()({"at": "first"})
    return {"log": ["first"]}


def approve(_: Log) -> dict[str, Any]:
    return {"log": [f"approved: {graph_interrupt({'question': 'ok?'})}"]}


def last(_: Log) -> dict[str, Any]:
    return {"log": ["last"]}


def _talking() -> Any:
    builder: Any = StateGraph(Chat)
    builder.add_node("talk", talk)
    builder.add_edge(START, "talk")
    return builder.compile()


def _approving() -> Any:
    builder: Any = StateGraph(Log)
    for node in (first, approve, last):
        builder.add_node(node.__name__, node)
    builder.add_edge(START, "first")
    builder.add_edge("first", "approve")
    builder.add_edge("approve", "last")
    return builder.compile()


talking = host(_talking(), name="talking")
approving = host(_approving(), name="approving")
