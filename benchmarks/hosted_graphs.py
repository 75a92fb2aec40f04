"""Hosted LangGraph graphs beside the same graphs with LangGraph's own checkpointers."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from benchmarks import graphs, postgres
from benchmarks.harness import AT_MOST, Bar, Bench, Row, Sample, rounds
from benchmarks.hosting import hosted
from benchmarks.processes import connected
from penstock.langgraph import host

__all__ = ["hosted_graphs"]

IN_MEMORY: Final = "LangGraph, InMemorySaver"
ON_POSTGRES: Final = "LangGraph, AsyncPostgresSaver"

EVENTS: Final = ("values", "updates", "custom", "messages", "tasks", "checkpoints")
LIMITS: Final = {"recursion_limit": 10_000}

WHY: Final = (
    "per superstep, LangGraph with InMemorySaver takes 0.3 ms of a core, and Penstock 0.15 to 0.25 "
    "more: a half of it for a point, its values and the writes of a task, a quarter for the texts "
    "of three events, a fifth for the thread that sends them. No function has more than a "
    "twentieth of it; three to five supersteps share a round trip. Done, which took a quarter off: "
    "a space is described once in an attempt, not with each write; values are looked at by their "
    "exact type first; no handler for tokens where they are not stored; no wake-up of the loop "
    "from itself; names of spaces and tasks are computed once."
)

_threads = itertools.count()


def hosted_graphs(bench: Bench) -> list[Row]:
    """Measure attempts in this process, beside LangGraph on the same loop."""
    with asyncio.Runner() as loop:
        return [*_beside_memory(bench, loop), *_beside_postgres(bench, loop), _bytes(bench, loop)]


def _beside_memory(bench: Bench, loop: asyncio.Runner) -> Iterator[Row]:
    count, start = bench.scale.steps, {"number": 0}
    steps, parts = graphs.supersteps(count), graphs.fan_out(count)
    ours = [
        host(steps.compile(), name="steps", modes=()),
        host(steps.compile(), name="told", modes=EVENTS[:1] + EVENTS[2:]),
        host(parts.compile(), name="parts", modes=()),
    ]
    with hosted(bench.url, ours, loop) as host_:
        samples = rounds(
            bench.scale.long_rounds,
            {
                "steps": host_.timed("steps", start, config=LIMITS),
                "told": host_.timed("told", start, config=LIMITS),
                "parts": host_.timed("parts", {"parts": []}),
                "their steps": _theirs(steps, start, loop, InMemorySaver),
                "their told": _theirs(steps, start, loop, InMemorySaver, EVENTS),
                "their parts": _theirs(parts, {"parts": []}, loop, InMemorySaver),
            },
        )
    for name, figure, most in (
        ("steps", f"{count} supersteps, async durability, nobody reads", 1.5),
        ("told", f"{count} supersteps, async durability, all events", 1.5),
        ("parts", f"a fan-out of {count}, async durability", 1.4),
    ):
        bars = [Bar(AT_MOST, most, "ratio")]
        yield _row(figure, samples[name], samples[f"their {name}"], bars, IN_MEMORY)


def _beside_postgres(bench: Bench, loop: asyncio.Runner) -> Iterator[Row]:
    count, start = bench.scale.steps, {"number": 0}
    figure = f"{count} supersteps, sync durability, nobody reads"
    steps = graphs.supersteps(count)
    parts: dict[str, Callable[[], float]] = {}
    with hosted(bench.url, [host(steps.compile(), name="steps", modes=())], loop) as host_:
        parts["ours"] = host_.timed("steps", start, config=LIMITS, durability="sync")
        if not postgres.is_there():
            alone = rounds(bench.scale.long_rounds, parts)["ours"]
            yield _row(f"{figure}; PostgreSQL is not installed", alone)
            return
        with postgres.checkpointer(loop) as saver:
            parts["theirs"] = _theirs(steps, start, loop, lambda: saver, durability="sync")
            samples = rounds(bench.scale.long_rounds, parts)
    bars = [Bar(AT_MOST, 0.6, "ratio")]
    yield _row(figure, samples["ours"], samples["theirs"], bars, ON_POSTGRES)


def _bytes(bench: Bench, loop: asyncio.Runner) -> Row:
    """Measure the values of a conversation; with a serializer of the user's all are in full."""
    talk, count = graphs.talk().compile(), bench.scale.steps
    ours = [
        host(talk, name="growing", modes=()),
        host(talk, name="in full", modes=(), serde=JsonPlusSerializer()),
    ]
    message = {"messages": [{"role": "user", "content": "u" * (graphs.TURN // 2)}]}
    sizes: dict[str, float] = {}
    with hosted(bench.url, ours, loop) as host_:
        for graph in ours:
            for _ in range(count):
                host_.seconds(graph.name, message, thread_id=graph.name)
            with connected(bench.url) as client:
                sizes[graph.name] = _stored(client)
                client.flushall()
    figure = f"hosted graph, values of {count} turns of {graphs.TURN} bytes, as stored"
    growing, full = (Sample((sizes[graph.name] / 1024,)) for graph in ours)
    return Row(figure, "KB", growing, full, [Bar(AT_MOST, 1 / 20, "ratio")], "values in full")


def _stored(client: Any) -> float:
    """Sum up the bytes of the values of channels, without the points and writes beside them."""
    spaces = [name for name in client.scan_iter("penstock:graph:*") if client.type(name) == b"hash"]
    fields = (item for name in spaces for item in client.hgetall(name).items())
    return float(sum(len(value) for field, value in fields if field.startswith(b"v ")))


def _theirs(
    builder: Any,
    given: Any,
    loop: asyncio.Runner,
    saver: Callable[[], Any],
    modes: Sequence[str] = (),
    durability: str = "async",
) -> Callable[[], float]:
    """What measures the milliseconds of a call, in which all that is streamed is consumed."""

    async def measure() -> float:
        graph = builder.compile(checkpointer=saver())
        config: Any = {"configurable": {"thread_id": f"bench-{next(_threads)}"}, **LIMITS}
        began = time.perf_counter()
        if modes:
            options: Any = {"stream_mode": list(modes), "subgraphs": True}
            async for _ in graph.astream(given, config, durability=durability, **options):
                pass
        else:
            await graph.ainvoke(given, config, durability=durability)
        return 1000 * (time.perf_counter() - began)

    return lambda: loop.run(measure())


def _row(
    figure: str,
    measured: Sample,
    limit: Sample | None = None,
    bars: Sequence[Bar] = (),
    limit_name: str = "",
) -> Row:
    return Row(f"hosted graph, {figure}", "ms", measured, limit, bars, limit_name, WHY)
