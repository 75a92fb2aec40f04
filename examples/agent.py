"""A LangGraph agent with two tools, and a subgraph that asks a person before it refunds something.

It ships with Penstock (langgraph/penstock/langgraph/demo_agent.py), where `penstock demo agent`
kills its worker in the middle of a sentence. Here LangGraph runs it in this process, without
Penstock: `python agent.py`. On workers:

    penstock dev agent.py
    penstock run agent '{"messages": [["user", "My teapot is broken."]]}' --follow
"""

from __future__ import annotations

import asyncio
from typing import Any

from langchain_core.messages import AIMessageChunk, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from penstock.langgraph.demo_agent import COMPLAINT, Desk, agent, builder

__all__ = ["agent"]


async def main() -> None:
    """Print a conversation as it is said; the refund is approved."""
    graph = builder.compile(checkpointer=InMemorySaver())
    thread: RunnableConfig = {"configurable": {"thread_id": "1"}}
    approval: Command[Any] = Command(resume=True)
    for given in (Desk(messages=[HumanMessage(COMPLAINT)]), approval):
        async for chunk, _ in graph.astream(given, thread, stream_mode="messages"):
            if isinstance(chunk, AIMessageChunk):
                print(chunk.content, end="", flush=True)
        print()


if __name__ == "__main__":
    asyncio.run(main())
