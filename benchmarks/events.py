"""Custom events of one run to one subscriber in another process, beside bare publishing."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any, cast

from benchmarks.bare import publish_all
from benchmarks.harness import AT_LEAST, Bar, Bench, Row, rounds
from benchmarks.processes import connected, listener, penstock_worker, wait_until
from penstock.publisher.subscribe import subscribe
from penstock.runtime import Client


def custom_events(bench: Bench) -> list[Row]:
    count = bench.scale.events
    with (
        penstock_worker(bench.url),
        listener(follow_run, bench.url) as runs,
        listener(listen, bench.url, count) as messages,
        Client(bench.url) as client,
        connected(bench.url) as publisher,
    ):

        def bare() -> float:
            messages.send("go")
            wait_until(lambda: publisher.pubsub_numsub("bare")[0][1])
            began = time.perf_counter()
            publish_all(publisher, "bare", count)
            return count / float(messages.recv() - began)

        def ours(name: str) -> float:
            run_id = uuid.uuid4().hex
            channel = f"penstock:channel:{run_id}"
            runs.send(run_id)
            wait_until(lambda: publisher.pubsub_numsub(channel)[0][1])
            client.enqueue(name, count, run_id=run_id)
            began, ended, seen = runs.recv()
            assert seen == count, f"{seen} of {count} events came"
            return count / float(ended - began)

        parts: dict[str, Callable[[], float]] = {
            "bare": bare,
            "sync": lambda: ours("tokens"),
            "async": lambda: ours("atokens"),
        }
        samples = rounds(bench.scale.long_rounds, parts)
    limit = samples.pop("bare")
    return [
        Row(
            f"{count:,} custom events of one run to another process, {kind} entrypoint",
            "events/s",
            sample,
            limit,
            [Bar(AT_LEAST, 0.5, "ratio")],
            "bare pipelined PUBLISH -> listen",
        )
        for kind, sample in samples.items()
    ]


def follow_run(pipe: Connection[Any, Any], url: str) -> None:
    """Report when a run began to write (its first event says so), when the last event came."""
    while True:
        began = ended = 0.0
        count = -1
        with subscribe(pipe.recv(), connection=url) as events:
            for event in events:
                if event.mode != "custom":
                    continue
                if count < 0:
                    began = event.data
                count += 1
                ended = time.perf_counter()
        pipe.send((began, ended, count))


def listen(pipe: Connection[Any, Any], url: str, count: int) -> None:
    """Report when the last of a number of messages came, each time it is told to begin."""
    with connected(url) as client:
        while True:
            pipe.recv()
            with client.pubsub(ignore_subscribe_messages=True) as pubsub:
                pubsub.subscribe("bare")
                messages = cast(Iterator[object], pubsub.listen())
                for _ in range(count):
                    next(messages)
                pipe.send(time.perf_counter())
