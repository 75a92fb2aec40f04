"""What it costs to find runs: a page of those that are over, and a list that they stand in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from benchmarks.ended_runs import add_ended_runs
from benchmarks.filling import Filling
from benchmarks.harness import AT_MOST, Bar, Bench, Row, Sample, rounds
from benchmarks.processes import connected
from penstock.publisher.plan import follow
from penstock.runtime import Client
from penstock.runtime.redis.plans.requests import Request
from penstock.runtime.redis.plans.search import SearchPlans
from penstock.runtime.redis.transport import ask
from penstock.runtime.settings import Settings
from penstock.runtime.types.run_filter import RunFilter

PAGE: Final = 100
PAGES: Final = 20
"""Pages that are read one after the other, each behind the one before."""

TAGS: Final = 16
"""Facets of a run, beyond those that each has, by which their cost is told."""

FACET: Final = (
    "of the scripts of 16 more facets, a sixteenth: a run is added to the open ones of a facet, "
    "taken from them, and added to those that are over. These three commands alone take as long "
    "as stands beside it: more than the bar where the machine is slow, or does other things."
)

BARE: Final = """
for at = 1, 1000 do
  redis.call('ZADD', KEYS[1], at, 'run' .. at)
  redis.call('ZREM', KEYS[1], 'run' .. at)
  redis.call('RPUSH', KEYS[2], string.format('%06x', at) .. '0123456789abcdef0123456789abcdef')
end
redis.call('DEL', KEYS[2])
"""


def found_runs(bench: Bench) -> list[Row]:
    """Compare pages of many ended runs with those of few, and runs in more lists with others."""
    with connected(bench.url) as redis:
        return [*_pages(bench, redis), _facet(bench, redis)]


def _pages(bench: Bench, redis: Any) -> Iterator[Row]:
    """Read pages of few ended runs and of many, by turns: two prefixes of one Redis."""
    few, many = bench.scale.ended
    redis.flushall()
    with _client(bench, "few") as small, _client(bench, "many") as large:
        add_ended_runs(redis, small, few)
        add_ended_runs(redis, large, many)
        samples = rounds(
            bench.scale.long_rounds,
            {"few": partial(_milliseconds, small), "many": partial(_milliseconds, large)},
        )
        trips = Sample((float(_round_trips(redis, large)),))
    redis.flushall(asynchronous=True)  # which a million keys would hold up for seconds
    yield Row(
        f"page of {PAGE} of {many:,} runs that are over",
        "ms",
        samples["many"],
        samples["few"],
        [Bar(AT_MOST, 2, "ratio")],
        f"of {few:,}",
    )
    what = f"round trips of the first page of {PAGE} of {many:,} runs that are over"
    yield Row(what, "", trips, bars=[Bar(AT_MOST, 8)])


def _client(bench: Bench, prefix: str = "penstock", index: tuple[str, ...] = ()) -> Client:
    settings = Settings(redis=bench.url, prefix=prefix, index=index)
    return Client(bench.url, settings=settings)


def _milliseconds(client: Client) -> float:
    """Read pages one after the other; return the time of one."""
    after = None
    began = time.perf_counter()
    for _ in range(PAGES):
        page = client.runs(status="completed", limit=PAGE, after=after)
        after = page.after
    return (time.perf_counter() - began) / PAGES * 1e3


def _round_trips(redis: Any, client: Client) -> int:
    requests: list[Request] = []

    def counted(request: Request) -> Any:
        requests.append(request)
        return ask(redis, request)

    search = SearchPlans(client.plans.keys, client.plans.codec)
    page = follow(search.page(RunFilter(), PAGE), counted)
    assert page
    return len(requests)


def _facet(bench: Bench, redis: Any) -> Row:
    """Enqueue and end runs with many facets, and with none beyond those that each run has."""
    redis.flushall()
    names = tuple(f"key{number}" for number in range(TAGS))
    with (
        _client(bench) as plain,
        _client(bench, index=tuple(f"tag:{name}" for name in names)) as listed,
    ):
        parts = {
            "plain": partial(_microseconds, redis, plain, names, bench.scale.runs),
            "listed": partial(_microseconds, redis, listed, names, bench.scale.runs),
            "bare": partial(_bare, redis, bench.scale.runs * TAGS // 1000 + 1),
        }
        samples = rounds(bench.scale.long_rounds, parts)
    redis.flushall()
    more = samples["listed"].less(samples["plain"])
    each = Sample(tuple(max(value / TAGS, 0.01) for value in more.values))
    return Row(
        "processor time of Redis for a list that a run is found by",
        "\u00b5s",
        each,
        samples["bare"],
        [Bar(AT_MOST, 3)],
        "its three commands in a script that does nothing else",
        FACET,
    )


def _bare(redis: Any, thousands: int) -> float:
    before = _used(redis)
    for _ in range(thousands):
        redis.eval(BARE, 2, "open", "over")
    return (_used(redis) - before) / thousands * 1e3


def _microseconds(redis: Any, client: Client, names: tuple[str, ...], count: int) -> float:
    """Return the processor time of Redis for a run from enqueue to end."""
    filling = Filling(client, redis)
    before = _used(redis)
    filling.finish(filling.queue(count, dict.fromkeys(names, "acme")))
    return (_used(redis) - before) / count * 1e6


def _used(redis: Any) -> float:
    used = redis.info("cpu")
    return float(used["used_cpu_user"] + used["used_cpu_sys"])
