"""Entrypoints and a graph whose threads the tests look at."""

from __future__ import annotations

import operator
import time
from typing import Annotated, Any

from langgraph.graph import START, StateGraph
from langgraph.types import interrupt as ask_in_graph
from typing_extensions import TypedDict

from penstock.runtime import entrypoint, interrupt, task


@task
def reply(number: int) -> dict[str, Any]:
    return {"id": f"ai-{number}", "type": "ai", "content": f"answer {number}"}


@entrypoint()
def chat(given: dict[str, Any], *, previous: dict[str, Any] | None = None) -> dict[str, Any]:
    """Answer, and perhaps ask or fail before the answer is saved."""
    messages = [*(previous or {}).get("messages", []), *given["messages"]]
    answer = reply(len(messages)).result()
    if given.get("ask"):
        interrupt({"question": given["ask"]}, response_schema=bool)
    if given.get("fail"):
        raise ValueError("boom")
    return {"messages": [*messages, answer]}


@task
def question(name: str) -> Any:
    return interrupt(name)


@entrypoint()
def both(given: dict[str, Any]) -> dict[str, Any]:
    futures = [question(name) for name in ("left", "right")]
    return {"answers": [future.result() for future in futures]}


@task
def wait(seconds: float) -> None:
    time.sleep(seconds)


@entrypoint()
def slow(seconds: float) -> dict[str, Any]:
    for _ in range(round(seconds * 20)):
        wait(0.05).result()
    return {"done": True}


class State(TypedDict):
    log: Annotated[list[str], operator.add]


def first(state: State) -> dict[str, Any]:
    return {"log": ["first"]}


def second(state: State) -> dict[str, Any]:
    asked = ask_in_graph("go on?") if "ask" in state["log"] else "unasked"
    return {"log": [f"second {asked}"]}


_builder: Any = StateGraph(State)
_builder.add_node("first", first)
_builder.add_node("second", second)
_builder.add_edge(START, "first")
_builder.add_edge("first", "second")
steps = _builder.compile(name="steps")
