"""LangGraph graphs that are measured, hosted by Penstock and with LangGraph's own checkpointers."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Send

__all__ = ["TURN", "fan_out", "supersteps", "talk"]

TURN = 600
"""Bytes of text of one turn: half of it the user's, half the agent's."""


class Count(TypedDict):
    number: int


class Parts(TypedDict):
    parts: Annotated[list[int], operator.add]


def supersteps(count: int) -> StateGraph[Any, Any, Any, Any]:
    """Build a graph with one node that is executed again and again."""

    async def step(state: Count) -> dict[str, Any]:
        return {"number": state["number"] + 1}

    def more(state: Count) -> str:
        return "step" if state["number"] < count else END

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(Count)
    builder.add_node("step", step)
    builder.add_edge(START, "step")
    builder.add_conditional_edges("step", more, ["step", END])
    return builder


def fan_out(count: int) -> StateGraph[Any, Any, Any, Any]:
    """Build a graph with one superstep of many nodes."""

    async def part(state: Any) -> dict[str, Any]:
        return {"parts": [state]}

    def spread(_: Parts) -> list[Send]:
        return [Send("part", number) for number in range(count)]

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(Parts)
    builder.add_node("part", part)
    builder.add_conditional_edges(START, spread, ["part"])
    builder.add_edge("part", END)
    return builder


def talk() -> StateGraph[Any, Any, Any, Any]:
    """Build a graph that answers."""

    async def answer(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage("a" * (TURN // 2))]}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("answer", answer)
    builder.add_edge(START, "answer")
    builder.add_edge("answer", END)
    return builder
