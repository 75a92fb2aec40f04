"""Graphs of the kinds that people build, beside those of `tests.langgraph.graphs`."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.managed import RemainingSteps
from langgraph.prebuilt import ToolNode
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command, interrupt

from tests.langgraph.graphs import Graph, Log, of


def supervised(_: Any) -> Graph:
    """A supervisor sends work to two agents, which are graphs, one after the other."""

    def agent(name: str) -> Graph:
        builder: Graph = StateGraph(Log)
        builder.add_node("think", of(lambda state: {"log": [f"{name} thinks"]}))
        builder.add_node("act", of(lambda state: {"log": [f"{name} acts"]}))
        builder.add_edge(START, "think")
        builder.add_edge("think", "act")
        return builder.compile(name=name)

    def supervise(state: Log) -> Any:
        done = " ".join(state["log"])
        following = next((name for name in ("cook", "waiter") if f"{name} acts" not in done), END)
        return Command(goto=following, update={"log": [f"to {following}"]})

    builder: Graph = StateGraph(Log)
    builder.add_node("supervisor", of(supervise), destinations=("cook", "waiter", END))
    builder.add_edge(START, "supervisor")
    for name in ("cook", "waiter"):
        builder.add_node(name, agent(name))
        builder.add_edge(name, "supervisor")
    return builder.compile()


@tool
def book(table: int) -> str:
    """Book a table, if somebody approves."""
    return f"table {table}: {interrupt(f'table {table}?')}"


@tool
def price(dish: str) -> str:
    """Tell what a dish costs."""
    return f"{dish}: {len(dish)}"


def parallel_tools(_: Any) -> Graph:
    """An agent calls three tools at once, two of which ask; LangGraph's own node executes them."""

    def model(state: MessagesState) -> Any:
        last = state["messages"][-1]
        if isinstance(last, HumanMessage):
            calls: Any = [
                {"name": "book", "args": {"table": 1}, "id": "a"},
                {"name": "price", "args": {"dish": "soup"}, "id": "b"},
                {"name": "book", "args": {"table": 2}, "id": "c"},
            ]
            return {"messages": [AIMessage("", tool_calls=calls, id="calls")]}
        said = [str(each.content) for each in state["messages"] if isinstance(each, ToolMessage)]
        return {"messages": [AIMessage(", ".join(sorted(said)), id="said")]}

    builder: Graph = StateGraph(MessagesState)
    builder.add_node("model", model)
    builder.add_node("tools", ToolNode([book, price]))
    builder.add_edge(START, "model")
    builder.add_conditional_edges(
        "model", of(lambda state: END if state["messages"][-1].id == "said" else "tools")
    )
    builder.add_edge("tools", "model")
    return builder.compile()


class Budget(TypedDict):
    log: Annotated[list[str], operator.add]
    left: RemainingSteps


def looped(_: Any) -> Graph:
    """A loop ends as its supersteps come to an end."""

    def again(state: Budget) -> Any:
        return {"log": [f"{state['left']} left"]}

    builder: Graph = StateGraph(Budget)
    builder.add_node("again", again)
    builder.add_edge(START, "again")
    builder.add_conditional_edges(
        "again", of(lambda state: "again" if state["left"] > 2 else END), ["again", END]
    )
    return builder.compile().with_config(recursion_limit=8)


def stopping(_: Any) -> Graph:
    """A graph stops in front of a node and behind another one."""
    builder: Graph = StateGraph(Log)
    for name, before in (("one", START), ("two", "one"), ("three", "two"), ("four", "three")):
        builder.add_node(name, of(lambda state: {"log": [str(len(state["log"]))]}))
        builder.add_edge(before, name)
    return builder.compile(interrupt_before=["two"], interrupt_after=["three"])


def keeping(_: Any) -> Graph:
    """A node remembers something in the store, and another one finds it."""

    def remember(state: Log, *, store: BaseStore) -> Any:
        store.put(("words",), state["log"][-1], {"length": len(state["log"][-1])})
        return {"log": ["remembered"]}

    def recall(_: Log, *, store: BaseStore) -> Any:
        return {"log": [f"{item.key}: {item.value}" for item in store.search(("words",))]}

    builder: Graph = StateGraph(Log)
    builder.add_node("remember", remember)
    builder.add_node("recall", recall)
    builder.add_edge(START, "remember")
    builder.add_edge("remember", "recall")
    return builder.compile(store=InMemoryStore())


def made(config: RunnableConfig) -> Graph:
    """A function that makes a graph."""
    tone = config.get("configurable", {}).get("tone", "kind")
    builder: Graph = StateGraph(Log)
    builder.add_node("only", of(lambda state: {"log": [f"{tone} words"]}))
    builder.add_edge(START, "only")
    return builder
