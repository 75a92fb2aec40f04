"""All figures, in the order of the report."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from benchmarks.deploy import deploy
from benchmarks.events import custom_events
from benchmarks.feed import follower
from benchmarks.gateway import over_http
from benchmarks.gateway_pages import pages
from benchmarks.gateway_streams import open_streams
from benchmarks.harness import Bench, Row
from benchmarks.imports import import_time
from benchmarks.langgraph_steps import steps_beside_langgraph
from benchmarks.latency import first_event
from benchmarks.memory import bytes_per_step, idle_worker
from benchmarks.observing import observed_runs
from benchmarks.peers import is_installed
from benchmarks.recovery import recovery
from benchmarks.redis_cost import redis_cost
from benchmarks.replay import replay
from benchmarks.search import found_runs
from benchmarks.steps import durable_steps, steps_in_process
from benchmarks.throughput import runs_per_second
from benchmarks.unused import unused
from benchmarks.waiting import sleeping_runs

__all__ = ["FIGURES"]


def hosted_graphs(bench: Bench) -> list[Row]:
    """What needs LangGraph even to be imported."""
    if not is_installed("langgraph.graph"):
        return []
    module: Any = importlib.import_module("benchmarks.hosted_graphs")
    rows: list[Row] = module.hosted_graphs(bench)
    return rows


def gateway(bench: Bench) -> list[Row]:
    """All that is measured of a gateway."""
    return [*over_http(bench), *open_streams(bench), *pages(bench)]


FIGURES: dict[str, Callable[[Bench], list[Row]]] = {
    "steps": durable_steps,
    "process": steps_in_process,
    "langgraph": steps_beside_langgraph,
    "graphs": hosted_graphs,
    "runs": runs_per_second,
    "latency": first_event,
    "events": custom_events,
    "gateway": gateway,
    "sleep": sleeping_runs,
    "replay": replay,
    "recovery": recovery,
    "import": import_time,
    "rss": idle_worker,
    "bytes": bytes_per_step,
    "redis": redis_cost,
    "observing": observed_runs,
    "feed": follower,
    "search": found_runs,
    "deploy": deploy,
    "unused": unused,
}
