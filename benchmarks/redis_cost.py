"""What a run that does nothing costs Redis: processor time, commands, and memory."""

from __future__ import annotations

from typing import Any

from benchmarks.harness import AT_MOST, Bar, Bench, Row, Sample
from benchmarks.processes import connected, penstock_worker, wait_until
from penstock.runtime import Client
from penstock.runtime.redis.keys import thread_key

BOOKS = 600_000
"""Milliseconds after which RQ's books of a run that ended well are gone."""

WHY = (
    "enqueue to end, as Redis counts it; the run has no step, and no thread. 40 commands belong to "
    "the run itself, a quarter of them RQ's books. Each look of a worker at its queues adds 11, "
    "which all runs share that it takes then; a write of its own for the word that the run has "
    "begun adds 5."
)


def redis_cost(bench: Bench) -> list[Row]:
    with (
        penstock_worker(bench.url) as worker,
        Client(bench.url) as client,
        connected(bench.url) as counting,
    ):
        _perform(client, counting, bench.scale.sleepers)  # until scripts are known, keys are there
        costs = [_cost(client, counting, bench.scale.runs) for _ in range(bench.scale.long_rounds)]
        ended = client.enqueue("steps", 0)
        wait_until(lambda: ended.status() == "completed")
        kept = _bytes(counting, ended.run_id, BOOKS)
        listed = _listed(counting)
        worker.kill()
        worker.wait()
        queued = _bytes(counting, client.enqueue("steps", 0).run_id, 0)
    processor, commands = zip(*costs, strict=True)
    return [
        _row("Redis processor time of a no-op run", "µs", tuple(processor), 100, WHY),
        _row("Redis commands of a no-op run", "", tuple(commands), 48, WHY),
        _row("Redis memory of a finished no-op run after ten minutes", "B", (kept,), 2048),
        _row("Redis memory of a finished run in a list that it is found by", "B", (listed,), 48),
        _row("Redis memory of a queued no-op run", "B", (queued,), 1800),
    ]


def _row(figure: str, unit: str, values: tuple[float, ...], most: float, note: str = "") -> Row:
    return Row(figure, unit, Sample(values), bars=[Bar(AT_MOST, most)], note=note)


def _perform(client: Client, counting: Any, count: int) -> None:
    for _ in range(count):
        client.enqueue("steps", 0)
    wait_until(lambda: not counting.zcard("penstock:open:all"), every=0.05)


def _cost(client: Client, counting: Any, count: int) -> tuple[float, float]:
    """Return the microseconds and the commands of a run, those inside of scripts counted too."""
    before, calls = _processor(counting), _calls(counting)
    _perform(client, counting, count)
    return (
        (_processor(counting) - before) * 1e6 / count,
        (_calls(counting) - calls) / count,
    )


def _processor(counting: Any) -> float:
    used = counting.info("cpu")
    return float(used["used_cpu_user"] + used["used_cpu_sys"])


def _calls(counting: Any) -> int:
    return sum(each["calls"] for each in counting.info("commandstats").values())


def _listed(counting: Any) -> float:
    """Return the bytes of an entry in the lists of the runs that are over."""
    lists = [*counting.scan_iter(match="*:over:*:all", count=1000)]
    size = sum(counting.memory_usage(name, samples=0) for name in lists)
    return float(size / sum(counting.llen(name) for name in lists))


def _bytes(counting: Any, run_id: str, lives: int) -> float:
    """Sum the keys of a run that live for ever, or for more than so many milliseconds."""
    names = [*counting.scan_iter(match=f"*{run_id}*", count=1000)]
    names += counting.scan_iter(match=f"*{thread_key(run_id)}*", count=1000)
    ttls = {name: counting.pttl(name) for name in names}
    kept = [name for name, ttl in ttls.items() if ttl == -1 or ttl > lives]
    return float(sum(counting.memory_usage(name, samples=0) for name in kept))
