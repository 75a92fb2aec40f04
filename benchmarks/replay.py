"""How long a run with a long record takes to reach what it has not done yet."""

from __future__ import annotations

import time
from typing import Any

from benchmarks import flows
from benchmarks.harness import AT_MOST, Bar, Bench, Row, rounds
from benchmarks.processes import connected
from penstock.runtime import Command, RedisSaver, entrypoint
from penstock.runtime.redis.keys import thread_key

CONFIG: dict[str, Any] = {"configurable": {"thread_id": "replay"}}


def replay(bench: Bench) -> list[Row]:
    """Each round answers the run's next interrupt, after which its first new step begins."""
    with connected(bench.url) as client:
        client.flushall()
        flow: Any = entrypoint(checkpointer=RedisSaver(bench.url))(flows.recorded)
        flow.invoke(bench.scale.recorded, CONFIG)
        name: Any = client.hget(f"penstock:thread:{thread_key('replay')}", "run")
        key = f"penstock:checkpoints:{name.decode()}"

        def resumed() -> float:
            flows.began.clear()
            began = time.perf_counter()
            flow.invoke(Command(resume="go on"), CONFIG)
            return flows.began[0] - began

        def bare() -> float:
            began = time.perf_counter()
            client.hgetall(key)
            return time.perf_counter() - began

        samples = rounds(bench.scale.long_rounds, {"bare": bare, "resumed": resumed})
    return [
        Row(
            f"replay of {bench.scale.recorded:,} recorded steps, to the first new one",
            "s",
            samples["resumed"],
            samples["bare"],
            [Bar(AT_MOST, 1.5)],
            "HGETALL of the same data",
        )
    ]
