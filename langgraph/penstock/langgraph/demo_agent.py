"""The agent of `penstock demo agent`: a LangGraph graph with tools, an approval and a subgraph.

Nothing in it knows Penstock. `examples/agent.py` shows how to run it without the demo.
"""

from __future__ import annotations

__all__ = ["COMPLAINT", "SORRY", "Desk", "Trace", "agent", "alone", "builder"]

import asyncio
import os
from typing import Any, Literal, TypedDict

from langchain_core.language_models import (
    BaseChatModel,
    FakeListChatModel,
    FakeMessagesListChatModel,
)
from langchain_core.messages import AIMessage, HumanMessage, ToolCall
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.runtime import get_runtime
from langgraph.types import Command, interrupt

COMPLAINT = "The teapot of order 4711 arrived broken."
"""What the customer writes."""

PAUSE = 0.02
"""Seconds between two tokens of the model, which are letters."""


class Trace(TypedDict, total=False):
    """The context of a run."""

    trace: str
    """A file in which each node and tool notes that it is executed."""


class Desk(MessagesState, total=False):
    """The state: what was said, and whether the refund was approved."""

    approved: bool


@tool
def look_up_order(number: int) -> str:
    """Look up what an order was, and what it cost."""
    note("look_up_order")
    return f"Order {number}: a blue teapot for 34 euros, delivered on Monday."


@tool
def look_up_rules(topic: str) -> str:
    """Look up the rules of the shop."""
    note("look_up_rules")
    return f"Rules for {topic}: a refund needs an approval."


TOOLS = [look_up_order, look_up_rules]

CALLS = AIMessage(
    "",
    tool_calls=[
        ToolCall(name="look_up_order", args={"number": 4711}, id="call-1"),
        ToolCall(name="look_up_rules", args={"topic": "breakage"}, id="call-2"),
    ],
)

SORRY = (
    "I am sorry about your blue teapot. It was delivered on Monday, so you can have your 34 euros "
    "back, as soon as somebody here has approved it."
)
PAID = "Good news: the 34 euros are on their way. Please keep the shards."
REFUSED = "I am afraid that nobody wants to refund it."


def model_for(state: Desk) -> BaseChatModel:
    """Return LangChain's fake model with what comes next; a real one would `bind_tools(TOOLS)`."""
    if not any(isinstance(message, AIMessage) for message in state["messages"]):
        return FakeMessagesListChatModel(responses=[CALLS])
    text = SORRY if "approved" not in state else PAID if state["approved"] else REFUSED
    return FakeListChatModel(responses=[text], sleep=PAUSE)


async def think(state: Desk) -> dict[str, Any]:
    """Let the model call tools, or say something."""
    note("think")
    return {"messages": [await model_for(state).ainvoke(state["messages"])]}


def next_of(state: Desk) -> Literal["tools", "refund", "__end__"]:
    """Call the tools that the model asks for, then the subgraph, and end after the last turn."""
    last = state["messages"][-1]
    if isinstance(last, AIMessage) and last.tool_calls:
        return "tools"
    return "__end__" if "approved" in state else "refund"


def approve(state: Desk) -> dict[str, Any]:
    """Ask a person."""
    note("approve")
    return {"approved": bool(interrupt("Refund 34 euros for order 4711?"))}


def pay(state: Desk) -> dict[str, Any]:
    """Do what was approved."""
    if state.get("approved"):
        note("pay")
    return {}


def note(name: str) -> None:
    """Note that something is executed, in the file that the run's context names, if it names one.

    So the demo can count executions without asking Penstock. A line is one write: all or nothing.
    """
    path = (get_runtime(Trace).context or {}).get("trace")
    if path is None:
        return
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, f"{os.getpid()} {name}\n".encode())
    finally:
        os.close(file)


refund = StateGraph(Desk, context_schema=Trace)
refund.add_sequence([approve, pay])
refund.add_edge(START, "approve")

builder = StateGraph(Desk, context_schema=Trace)
builder.add_node("think", think)
builder.add_node("tools", ToolNode(TOOLS))
builder.add_node("refund", refund.compile())
builder.add_edge(START, "think")
builder.add_conditional_edges("think", next_of)
builder.add_edge("tools", "think")
builder.add_edge("refund", "think")

agent = builder.compile(name="agent")


def alone() -> list[str]:
    """Return what is said in a conversation in this process, by LangGraph without Penstock."""
    graph = builder.compile(checkpointer=InMemorySaver())

    async def conversation() -> list[str]:
        thread: RunnableConfig = {"configurable": {"thread_id": "alone"}}
        await graph.ainvoke({"messages": [HumanMessage(COMPLAINT)]}, thread)
        state = await graph.ainvoke(Command(resume=True), thread)
        return [message.content for message in state["messages"]]

    return asyncio.run(conversation())
