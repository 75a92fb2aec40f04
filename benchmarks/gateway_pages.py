"""Pages of a gateway that lists many runs and threads, beside one that lists few."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import cast

import httpx

from benchmarks.filling import Filling
from benchmarks.gateway import gateway
from benchmarks.harness import AT_MOST, Bar, Bench, Row, rounds
from benchmarks.processes import connected
from penstock.publisher.redis.script import Call, run_all
from penstock.runtime import Client
from penstock.runtime.redis.plans.thread_records import ThreadRecords

__all__ = ["pages"]

PAGE = 50
"""Runs of a page of the dashboard."""

FAR = 100
"""The number of a page that nobody goes to by hand."""

OF_ONE = 10
"""Threads that have the same pair."""

AT_ONCE = 500


def pages(bench: Bench) -> list[Row]:
    """Measure what a client waits for, which is more than what the gateway takes."""
    sizes = {"many": bench.scale.listed, "few": bench.scale.few}
    with ExitStack() as stack:
        askers: dict[str, dict[str, Callable[[], float]]] = {}
        for database, (name, size) in enumerate(sizes.items(), start=1):
            url = f"{bench.url}/{database}"
            far = _fill(url, size)
            port, _ = stack.enter_context(gateway(url))
            http = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}"))
            askers[name] = _askers(http, far)
        rows = [_row(bench, what, askers) for what in askers["many"]]
    for database in (1, 2):
        with connected(f"{bench.url}/{database}") as connection:
            connection.flushdb()
    return rows


def _row(bench: Bench, what: str, askers: dict[str, dict[str, Callable[[], float]]]) -> Row:
    found = rounds(bench.scale.rounds, {name: asks[what] for name, asks in askers.items()})
    bars = [Bar(AT_MOST, 2, "ratio"), Bar(AT_MOST, 30)]
    name = f"{what} of {bench.scale.listed:,}"
    return Row(name, "ms", found["many"], found["few"], bars, f"of {bench.scale.few:,}")


def _fill(url: str, size: int) -> str:
    """Make runs and threads; returns the cursor of a page far behind, or of the last one."""
    with connected(url) as connection, Client(url) as client:
        connection.flushdb()
        Filling(client, connection).keep(size)
        records = ThreadRecords(client.plans.keys, client.plans.codec, client.settings)
        for first in range(0, size, AT_ONCE):
            plans = [
                records.create(f"thread-{number}", {"owner": f"u{number // OF_ONE}"})
                for number in range(first, min(first + AT_ONCE, size))
            ]
            run_all(connection, [cast(Call, next(plan)) for plan in plans])
        before = min((FAR - 1) * PAGE, size - PAGE)
        return str(client.runs(limit=before).after)


def _askers(http: httpx.Client, far: str) -> dict[str, Callable[[], float]]:
    return {
        "the first page of runs": lambda: _timed(http, "GET", "/dashboard/runs"),
        "the 100th page of runs": lambda: _timed(http, "GET", f"/dashboard/runs?after={far}"),
        "the overview": lambda: _timed(http, "GET", "/dashboard/"),
        "ten threads by a pair of their metadata": lambda: _timed(
            http, "POST", "/threads/search", {"metadata": {"owner": "u7"}, "limit": OF_ONE}
        ),
    }


def _timed(http: httpx.Client, method: str, path: str, body: object = None) -> float:
    began = time.perf_counter()
    answer = http.request(method, path, json=body)
    took = (time.perf_counter() - began) * 1e3
    assert answer.status_code == 200, answer.text
    assert body is None or len(answer.json()) == OF_ONE, answer.text
    return took
