"""A small tour: a stream, a question that waits for a person, and an async workflow.

In one terminal `penstock dev flows.py`, in another `penstock run countdown 5 --follow`;
or in this process, without any server: `python flows.py`.
"""

from __future__ import annotations

import asyncio
from typing import Any

from penstock.runtime import (
    Command,
    InMemorySaver,
    entrypoint,
    get_stream_writer,
    interrupt,
    task,
)

saver = InMemorySaver()
"""Keeps runs that are invoked in this process; on workers their Redis does."""


@task
async def tick(number: int) -> int:
    """Wait a second, on the event loop: thousands of these fit into one process."""
    await asyncio.sleep(1.0)
    return number - 1


@entrypoint(checkpointer=saver)
async def countdown(start: int) -> str:
    """Count down; killed in the middle, it goes on from the last tick."""
    write = get_stream_writer()
    number = start
    while number > 0:
        write(number)
        number = await tick(number)
    return "lift-off"


@entrypoint(checkpointer=saver)
def main(inputs: dict[str, int]) -> int:
    """Say what happens while it happens."""
    write = get_stream_writer()
    write("Started processing")
    result = inputs["x"] * 2
    write(f"Result is {result}")
    return result


@task
def draft(topic: str) -> str:
    """Write something; recorded, so that it is not written again when the answer comes."""
    return f"All about {topic}."


@task
def publish(text: str) -> str:
    """Do what was approved."""
    return f"published: {text}"


@entrypoint(checkpointer=saver)
def approval(topic: str) -> str:
    """Ask a person, and leave the process until they answer, be it after a restart."""
    text = draft(topic).result()
    approved = interrupt({"question": "Publish this?", "draft": text})
    return publish(text).result() if approved else "not published"


def in_thread(thread_id: str) -> dict[str, Any]:
    """Return a config that names a thread."""
    return {"configurable": {"thread_id": thread_id}}


async def _count() -> None:
    async for mode, chunk in countdown.astream(3, in_thread("c"), stream_mode=["custom", "values"]):
        print(mode, chunk)


if __name__ == "__main__":
    for mode, chunk in main.stream({"x": 5}, in_thread("a"), stream_mode=["custom", "updates"]):
        print(mode, chunk)
    print(approval.invoke("sluices", in_thread("b")))
    print(approval.invoke(Command(resume=True), in_thread("b")))
    asyncio.run(_count())
