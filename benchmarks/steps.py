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
from penstock.runtime.journal import Durability

_numbers = itertools.count()

SHAPES: dict[str, tuple[Callable[[int], Any], Callable[[int], Any]]] = {
    "in sequence": (flows.in_sequence, flows.ain_sequence),
    "in parallel": (flows.in_parallel, flows.ain_parallel),
}
ROUND_TRIP = "one EVALSHA"
WHY = (
    "the limit itself has two speeds on this machine, about 40 and about 90 to 130 µs, which "
    "change by the minute with what else runs, and the ratios change with it, as the Python of a "
    "step does not slow down as much. Where a bare round trip took 40 µs, paired measurements "
    "gave 3.9 x with `sync` durability and 1.35 to 1.7 x with `async`; another run of this whole "
    "report, where it took 90 µs, gave 2.6 x and 0.7 to 0.9 x. About half of a `sync` step is "
    "Python (arguments to text and digest, two events, a future), which takes about twice as long "
    "between two round trips as in a tight loop; the other half is the round trip, whose script "
    "runs 7 commands where the limit has 3. Tried in a prototype that is not in this version: the "
    "run's last seq at hand in the script, a connection without redis-py's pool and retries, "
    "looking for lost runs once a second and not at each call, no reference cycles, fewer objects "
    "for each step. Together, at 40 µs: `sync` 2.6 to 2.9 x, `async` 1.0 to 1.1 x in sync "
    "entrypoints and 1.25 to 1.4 x in async ones. A longer pause between two flushes changed "
    "nothing that could be told from noise."
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
    flow: Any = entrypoint(checkpointer=saver)(body)

    def measure() -> float:
        began = time.perf_counter()
        flow.invoke(count, _config(), durability=durability)
        return (time.perf_counter() - began) / count * 1e6

    return measure


def _arun(
    body: Callable[[int], Any],
    saver: RedisSaver | None,
    durability: Durability | None,
    count: int,
    loop: asyncio.Runner,
) -> Callable[[], float]:
    flow: Any = entrypoint(checkpointer=saver)(body)

    async def measure() -> float:
        began = time.perf_counter()
        await flow.ainvoke(count, _config(), durability=durability)
        return (time.perf_counter() - began) / count * 1e6

    return lambda: loop.run(measure())


def _config() -> dict[str, Any]:
    return {"configurable": {"thread_id": f"bench-{next(_numbers)}"}}
