"""From enqueue to the first event that a subscriber in another process sees."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any, cast

from benchmarks.bare import EVENT
from benchmarks.harness import AT_MOST, Bar, Bench, Row, Sample, percentile
from benchmarks.processes import connected, listener, penstock_worker, wait_until
from penstock.publisher.subscribe import subscribe
from penstock.runtime import Client

WORK = 0.02  # seconds that a run goes on after its first event
PAUSE = 0.02  # seconds between two measurements
HOP = "bare pub/sub hop"
WHY = (
    "99 of 100 is where other processes show: see the p99 of the bare hop beside it, and the load "
    "above. At a load of 1.3 it was 11.5 ms."
)


def first_event(bench: Bench) -> list[Row]:
    """Each round has many runs and as many bare hops, by turns."""
    ours: list[list[float]] = []
    bare: list[list[float]] = []
    with (
        penstock_worker(bench.url),
        listener(follow_runs, bench.url) as runs,
        listener(listen, bench.url) as hops,
        Client(bench.url) as client,
        connected(bench.url) as publisher,
    ):
        wait_until(lambda: _subscribers(publisher, "bare"))
        for number in range(-1, bench.scale.long_rounds):
            ours.append([])
            bare.append([])
            for _ in range(bench.scale.latencies if number >= 0 else 5):
                ours[-1].append(_run(client, publisher, runs))
                time.sleep(PAUSE)
                began = time.perf_counter()
                publisher.publish("bare", EVENT)
                bare[-1].append((hops.recv() - began) * 1e3)
                time.sleep(PAUSE)
    return [
        Row(
            f"enqueue to first event of the worker, {name}",
            "ms",
            Sample(tuple(percentile(values, share) for values in ours[1:])),
            Sample(tuple(percentile(values, share) for values in bare[1:])),
            bars,
            HOP,
            WHY,
        )
        for name, share, bars in (
            ("p50", 0.5, [Bar(AT_MOST, 6), Bar(AT_MOST, 15, "ratio")]),
            ("p99", 0.99, [Bar(AT_MOST, 25)]),
        )
    ]


def _run(client: Client, publisher: Any, runs: Connection[Any, Any]) -> float:
    run_id = uuid.uuid4().hex
    runs.send(run_id)
    wait_until(lambda: _subscribers(publisher, f"penstock:channel:{run_id}"), 0.001)
    time.sleep(PAUSE)
    began = time.perf_counter()
    client.enqueue("first", WORK, run_id=run_id)
    seen: float = runs.recv()
    runs.recv()  # the run is over
    return (seen - began) * 1e3


def _subscribers(client: Any, channel: str) -> int:
    return int(client.pubsub_numsub(channel)[0][1])


def follow_runs(pipe: Connection[Any, Any], url: str) -> None:
    """Report when the first event that the worker sent was seen, for each run id that comes in."""
    while True:
        with subscribe(pipe.recv(), connection=url) as events:
            for event in events:
                if event.mode == "custom":
                    pipe.send(time.perf_counter())
        pipe.send("over")


def listen(pipe: Connection[Any, Any], url: str) -> None:
    """Report when each message was seen."""
    with connected(url) as client, client.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe("bare")
        messages = cast(Iterator[object], pubsub.listen())
        for _ in messages:
            pipe.send(time.perf_counter())
