"""See that Penstock works with what is installed here: imports, memory, a worker, each extra."""

from __future__ import annotations

import asyncio
import base64
import importlib.util
import os
import pkgutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import penstock.publisher
import penstock.runtime
import penstock.worker
from penstock.publisher.codec.encrypted import codec_for
from penstock.runtime import Client, InMemorySaver, InMemoryStore
from penstock.worker.embedded import EmbeddedServer

HAS_LANGGRAPH = importlib.util.find_spec("langgraph") is not None
"""Whether it is installed here: it does not work with the lowest versions of the others."""

FLOWS = """
import pydantic
from penstock.runtime import RetryPolicy, entrypoint, get_stream_writer, interrupt, task

class Order(pydantic.BaseModel):
    number: int

@task
def double(order: Order) -> Order:
    return Order(number=2 * order.number)

@task(retry_policy=RetryPolicy(max_attempts=2))
async def add(x: int, y: int) -> int:
    return x + y

@entrypoint()
async def shop(order: Order) -> int:
    get_stream_writer()("begun")
    doubled = await double(order)
    return await add(doubled.number, interrupt("how many more?", response_schema=int))
"""


def import_all() -> None:
    """Import each module."""
    rooms = [penstock.publisher, penstock.runtime, penstock.worker]
    if HAS_LANGGRAPH:
        rooms.append(importlib.import_module("penstock.langgraph"))
    for room in rooms:
        for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)


def run_in_memory() -> None:
    """Run an entrypoint in this process, sync and async."""
    from penstock.runtime import entrypoint, task

    @task
    def double(x: int) -> int:
        return 2 * x

    @entrypoint(checkpointer=InMemorySaver())
    def main(x: int) -> int:
        return double(x).result()

    config = {"configurable": {"thread_id": "t"}}
    assert main.invoke(5, config) == 10
    assert asyncio.run(main.ainvoke(6, config)) == 12
    assert main.get_state(config).values == 12


def run_on_worker() -> None:
    """Run an entrypoint on a worker, with a question in between, and ask the command line."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedServer() as server:
        Path(folder, "flows.py").write_text(FLOWS)
        penstock_command(folder, server.url, "worker", "flows.py", "--burst")  # announces it
        with Client(server.url) as client:
            run = client.enqueue("shop", {"number": 5}, run_id="smoke")
            penstock_command(folder, server.url, "worker", "flows.py", "--burst")
            assert run.status() == "suspended", run.status()
            run.resume(7)
            penstock_command(folder, server.url, "worker", "flows.py", "--burst")
            assert run.result(1) == 17
        assert "completed" in penstock_command(folder, server.url, "show", "smoke")
        assert "smoke" in penstock_command(folder, server.url, "runs")
        metrics = penstock_command(folder, server.url, "exporter", "--once")
        assert "penstock_redis_up 1.0" in metrics


def penstock_command(folder: str, url: str, *arguments: str) -> str:
    """Run a command, and return what it prints."""
    environ = {name: text for name, text in os.environ.items() if not name.startswith("PENSTOCK_")}
    done = subprocess.run(
        [sys.executable, "-m", "penstock.worker.cli", *arguments],
        cwd=folder,
        env=environ | {"PENSTOCK_REDIS_URL": url},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def use_extras() -> None:
    """Encrypt a value, search by meaning, and load what serves HTTP."""
    key = base64.b64encode(bytes(32)).decode()
    codec = codec_for(f"k1:{key}", 1_000_000).at("run", "r")
    assert codec.loads(codec.dumps({"x": 1})) == {"x": 1}

    store = InMemoryStore(index={"dims": 2, "embed": lambda texts: [[1.0, 0.0] for _ in texts]})
    store.put(("a",), "k", {"text": "hello"})
    assert [item.key for item in store.search(("a",), query="hello")] == ["k"]

    for name in ("starlette.applications", "starlette.responses", "uvicorn"):
        importlib.import_module(name)


def use_langgraph() -> None:
    """Ask a question in a real graph, and answer it through another saver."""
    from langgraph.graph import START, StateGraph
    from langgraph.types import Command, interrupt

    from penstock.langgraph import PenstockSaver

    builder = StateGraph(dict)
    builder.add_node("ask", lambda state: {"answer": interrupt("how many?")})
    builder.add_edge(START, "ask")
    config = {"configurable": {"thread_id": "t"}}
    with EmbeddedServer() as server, PenstockSaver(server.url) as saver:
        assert builder.compile(checkpointer=saver).invoke({"a": 1}, config)["__interrupt__"]
        with PenstockSaver(server.url) as other:
            done = builder.compile(checkpointer=other).invoke(Command(resume=7), config)
        assert done["answer"] == 7, done


def main() -> None:
    """Do all of it."""
    for step in (import_all, run_in_memory, run_on_worker, use_extras):
        step()
    if HAS_LANGGRAPH:
        use_langgraph()
    names = ("langgraph",) * HAS_LANGGRAPH + (
        "click",
        "fakeredis",
        "pydantic",
        "redis",
        "rich",
        "rq",
    )
    print("It works with", ", ".join(f"{name} {version(name)}" for name in names))


if __name__ == "__main__":
    main()
