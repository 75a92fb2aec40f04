"""Steps: durable ones beside a bare round trip, and those of a run that nothing keeps."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from typing import Any

from benchmarks import flows
from benchmarks.bare import RoundTrip
from benchmarks.harness import AT_MOST, Bar, Bench, Row, beside, rounds
from benchmarks.processes import connected
from penstock.runtime import RedisSaver, entrypoint
from penstock.runtime.types.durability import Durability

_numbers = itertools.count()

SHAPES: dict[str, tuple[Callable[[int], Any], Callable[[int], Any]]] = {
    "in sequence": (flows.in_sequence, flows.ain_sequence),
    "in parallel": (flows.in_parallel, flows.ain_parallel),
}
ROUND_TRIP = "one EVALSHA"
WHY = (
    "the bar compares Python with a round trip, and how fast either is differs from one kind of "
    "machine to another. On an AMD EPYC, where a step without a checkpointer takes 20 µs and one "
    "EVALSHA 130, an earlier version reached it: 2.4 x with `sync` and 0.65 to 0.8 x with `async` "
    "durability. On an Intel Xeon of 2.1 GHz, where they take 35 to 60 µs and 80 to 130, that "
    "version measured 3.9 x and 1.2 to 1.7 x, by turns with one that measured 2.4 to 2.6 x and "
    "0.95 to 1.4 x; since then `async` has become 7 % cheaper. Done in between: a connection is "
    "held for a second, in place of redis-py's pool, counters and retries for each command; the "
    "script reads the last entry only where others have spoken, and four fields in place of six; "
    "events are items of a list, not of a stream; a step makes fewer calls, an asyncio step one "
    "callback less. Of an `async` step, about 25 µs are threads or tasks and their futures, 30 µs "
    "arguments, digest and two events, and 15 µs its share of the run's begin and end, whose last "
    "write waits for Redis. Tried without effect: sending from the thread of the body while it "
    "goes on, so that Redis works beside Python; polling the socket; a longer and a shorter pause "
    "between two flushes; no garbage collection; futures that share a lock."
)


def durable_steps(bench: Bench) -> list[Row]:
    count = bench.scale.steps
    with connected(bench.url) as client, asyncio.Runner() as loop:
        client.flushall()
        bare = RoundTrip(client)
        saver = RedisSaver(bench.url)
        parts: dict[str, Callable[[], float]] = {
            f"sync durability, {count} in sequence, sync entrypoint": _run(
                flows.in_sequence, saver, "sync", count
            ),
        }
        for shape, (sync, async_) in SHAPES.items():
            name = f"async durability, {count} {shape}"
            parts[f"{name}, sync entrypoint"] = _run(sync, saver, "async", count)
            parts[f"{name}, async entrypoint"] = _arun(async_, saver, "async", count, loop)
        samples = beside(lambda: bare.seconds(count) * 1e6, bench.scale.rounds, parts)
    return [
        Row(
            f"durable step, {name}",
            "µs",
            sample,
            limit,
            [Bar(AT_MOST, 2.5 if name.startswith("sync") else 1.0, "ratio")],
            ROUND_TRIP,
            WHY,
        )
        for name, (sample, limit) in samples.items()
    ]


def steps_in_process(bench: Bench) -> list[Row]:
    count = bench.scale.steps
    with asyncio.Runner() as loop:
        parts: dict[str, Callable[[], float]] = {}
        for shape, (sync, async_) in SHAPES.items():
            name = f"{count} {shape}"
            parts[f"{name}, sync entrypoint"] = _run(sync, None, None, count)
            parts[f"{name}, async entrypoint"] = _arun(async_, None, None, count, loop)
        samples = rounds(bench.scale.rounds, parts)
    return [
        Row(f"step without a checkpointer, {name}", "µs", sample, bars=[Bar(AT_MOST, 90)])
        for name, sample in samples.items()
    ]


def _run(
    body: Callable[[int], Any], saver: RedisSaver | None, durability: Durability | None, count: int
) -> Callable[[], float]:
    return timed(entrypoint(checkpointer=saver)(body), count, durability=durability)


def _arun(
    body: Callable[[int], Any],
    saver: RedisSaver | None,
    durability: Durability | None,
    count: int,
    loop: asyncio.Runner,
) -> Callable[[], float]:
    return atimed(entrypoint(checkpointer=saver)(body), count, loop, durability=durability)


def timed(flow: Any, count: int, **options: Any) -> Callable[[], float]:
    """What measures the microseconds of each step of a sync flow."""

    def measure() -> float:
        began = time.perf_counter()
        flow.invoke(count, _config(), **options)
        return (time.perf_counter() - began) / count * 1e6

    return measure


def atimed(flow: Any, count: int, loop: asyncio.Runner, **options: Any) -> Callable[[], float]:
    """As `timed`, of an async flow."""

    async def measure() -> float:
        began = time.perf_counter()
        await flow.ainvoke(count, _config(), **options)
        return (time.perf_counter() - began) / count * 1e6

    return lambda: loop.run(measure())


def _config() -> dict[str, Any]:
    return {"configurable": {"thread_id": f"bench-{next(_numbers)}"}}
