"""How costs grow: with the runs that wait or are kept, open streams, and the steps of one run.

`python -m benchmarks scale` takes half an hour, and writes SCALE.md; `scale 10000` leaves out
larger sizes.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import flows
from benchmarks.filling import Filling
from benchmarks.processes import Client as Connection
from penstock.publisher.hub import Hub, asubscribe
from penstock.publisher.redis.script import run
from penstock.runtime import Client, Command, RedisSaver, entrypoint

__all__ = ["SMALL", "Sizes", "measure", "written"]

RESULTS = Path(__file__).parent / "SCALE.md"
REPEATS = 5

HEAD = """# How costs grow

Written by `make bench ARGS=scale`. Each column is a size that was reached by the script calls of
clients and workers; a figure in it is the median of five, in the Redis of that size. What one
Redis carries is [computed from it](../docs/explanation/capacity.md).
"""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How far each table goes."""

    queued: Sequence[int] = (1_000, 10_000, 100_000)
    kept: Sequence[int] = (1_000, 10_000, 100_000, 1_000_000)
    streams: Sequence[int] = (50, 500, 5_000)
    steps: Sequence[int] = (1_000, 10_000, 100_000)

    def up_to(self, most: int) -> Sizes:
        """Leave out the sizes above one."""
        listed = (self.queued, self.kept, self.streams, self.steps)
        return Sizes(*([size for size in sizes if size <= most] for sizes in listed))


SMALL = Sizes((20, 40), (20, 40), (5, 10), (20, 40))


@dataclass(frozen=True, slots=True)
class Table:
    """Costs by size."""

    name: str
    columns: Sequence[int]
    rows: Mapping[str, Sequence[float]]


@dataclass(slots=True)
class _Rows:
    """Costs, as they are measured size by size."""

    found: dict[str, list[float]] = field(default_factory=dict[str, list[float]])

    def add(self, what: str, value: float) -> None:
        self.found.setdefault(what, []).append(value)


def measure(url: str, sizes: Sizes | None = None) -> list[Table]:
    """Measure all tables, each in a Redis that is empty at first."""
    sizes = sizes or Sizes()
    return [
        _queued(url, sizes.queued),
        _kept(url, sizes.kept),
        _streams(url, sizes.streams),
        _steps(url, sizes.steps),
    ]


def written(tables: Sequence[Table], machine: Sequence[str], path: Path = RESULTS) -> Path:
    """Write SCALE.md."""
    parts = [HEAD, "\n".join(f"- {fact}" for fact in machine), ""]
    for table in tables:
        parts += [f"## {table.name}", ""]
        parts += [f"| | {' | '.join(f'{size:,}' for size in table.columns)} |"]
        parts += ["|---" * (len(table.columns) + 1) + "|"]
        for what, values in table.rows.items():
            parts.append(f"| {what} | {' | '.join(map(_number, values))} |")
        parts.append("")
    path.write_text("\n".join(parts), encoding="utf-8")
    return path


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _queued(url: str, columns: Sequence[int]) -> Table:
    rows = _Rows()
    with Client(url) as client, _patient(url) as redis:
        redis.flushall()
        filling, empty, there = Filling(client, redis), _memory(redis), 0
        for size in columns:
            filling.queue(size - there)
            there = size
            rows.add("bytes a run", (_memory(redis) - empty) / size)
            rows.add("ms of `client.runs(limit=100)`", _ms(lambda: client.runs(limit=100)))
            rows.add("ms of a recovery", _ms(lambda: _recover(client, redis)))
            rows.add("\u00b5s of an enqueue", _scripts(redis, lambda: filling.queue(200), 200))
            there += 200
    return Table("Queued runs", columns, rows.found)


def _kept(url: str, columns: Sequence[int]) -> Table:
    rows = _Rows()
    with Client(url) as client, _patient(url) as redis:
        redis.flushall()
        filling, empty, there = Filling(client, redis), _memory(redis), 0
        for size in columns:
            filling.keep(size - there)
            _forget_books(redis)
            rows.add("bytes a run, without RQ's books", (_memory(redis) - empty) / size)
            rows.add("ms of `client.runs(limit=100)`", _ms(lambda: client.runs(limit=100)))
            (newest,) = client.runs(limit=1)
            rows.add("ms of `run.info()`", _ms(client.get(newest.run_id).info))
            rows.add("ms of a recovery", _ms(lambda: _recover(client, redis)))
            ids = filling.queue(200)
            rows.add(
                "\u00b5s of a claim and an end", _scripts(redis, partial(filling.finish, ids), 200)
            )
            there = size + 200
    return Table("Kept runs", columns, rows.found)


def _streams(url: str, columns: Sequence[int]) -> Table:
    rows = _Rows()
    for size in columns:
        with Client(url) as client, _patient(url) as redis:
            redis.flushall()
            ids = Filling(client, redis).queue(size)
            memory = _resident()
            opened, ended = asyncio.run(_follow(url, client, ids))
            rows.add("ms to open all", opened * 1e3)
            rows.add("ms from the first run's end to the last stream's", ended * 1e3)
            rows.add("KB a stream in its process", max(0.0, _resident() - memory) / size / 1e3)
    return Table("Open streams over one connection", columns, rows.found)


async def _follow(url: str, client: Client, ids: Sequence[str]) -> tuple[float, float]:
    """Open a stream for each run, end all runs, and read all streams to their ends."""
    opened = asyncio.Semaphore(0)

    async def follow(hub: Hub, run_id: str) -> None:
        async with asubscribe(run_id, hub=hub) as events:
            seen = False
            async for _ in events:
                if not seen:
                    seen = True
                    opened.release()

    began = time.perf_counter()
    async with Hub(url) as hub:
        readers = [asyncio.create_task(follow(hub, each)) for each in ids]
        for _ in ids:
            await opened.acquire()
        there = time.perf_counter()
        await asyncio.to_thread(_cancel, client, ids)
        await asyncio.gather(*readers)
        return there - began, time.perf_counter() - there


def _cancel(client: Client, ids: Sequence[str]) -> None:
    for run_id in ids:
        client.get(run_id).cancel()


def _steps(url: str, columns: Sequence[int]) -> Table:
    rows = _Rows()
    config: dict[str, Any] = {"configurable": {"thread_id": "scale"}}
    for size in columns:
        with _patient(url) as redis:
            redis.flushall()
            flow: Any = entrypoint(checkpointer=RedisSaver(url))(flows.recorded)
            empty, began = _memory(redis), time.perf_counter()
            flow.invoke(size, config)
            rows.add("\u00b5s a step", (time.perf_counter() - began) / size * 1e6)
            rows.add("bytes a step", (_memory(redis) - empty) / size)
            flows.began.clear()
            began = time.perf_counter()
            flow.invoke(Command(resume="go on"), config)
            rows.add("s of a replay", flows.began[0] - began)
    return Table("Steps of one run", columns, rows.found)


def _patient(url: str) -> Connection:
    """A client that waits while Redis frees a million keys."""
    return Connection.from_url(url, socket_timeout=300)


def _recover(client: Client, redis: Any) -> None:
    run(redis, client.plans.calls.recover(3, 0.0))


def _ms(act: Callable[[], object]) -> float:
    """Milliseconds of an act, as whoever asks for it sees them."""
    times: list[float] = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        act()
        times.append((time.perf_counter() - began) * 1e3)
    return statistics.median(times)


def _scripts(redis: Any, act: Callable[[], object], count: int) -> float:
    """Microseconds that scripts take of Redis for each of some runs."""
    before = redis.info("commandstats")["cmdstat_evalsha"]["usec"]
    act()
    return float(redis.info("commandstats")["cmdstat_evalsha"]["usec"] - before) / count


def _memory(redis: Any) -> int:
    used: int = redis.info("memory")["used_memory"]
    return used


def _forget_books(redis: Any) -> None:
    """Delete what RQ shows of the runs for ten minutes."""
    names = [*redis.scan_iter(match="rq:*", count=10_000)]
    for first in range(0, len(names), 10_000):
        redis.unlink(*names[first : first + 10_000])


def _resident() -> float:
    """Bytes that this process holds."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return float(line.split()[1]) * 1024
    return 0.0
