"""Durable steps of ours beside tasks of LangGraph's Functional API that nothing keeps."""

from __future__ import annotations

import asyncio
import importlib
import inspect
from collections.abc import Callable
from typing import Any

from benchmarks import flows
from benchmarks.harness import AT_MOST, Bar, Bench, Row, rounds
from benchmarks.peers import is_installed
from benchmarks.processes import connected
from benchmarks.steps import atimed, timed
from penstock.runtime import RedisSaver, entrypoint

NAME = "LangGraph, no persistence"


def steps_beside_langgraph(bench: Bench) -> list[Row]:
    if not is_installed("langgraph.func"):
        return []
    count = bench.scale.steps
    with connected(bench.url) as client, asyncio.Runner() as loop:
        client.flushall()
        saver = RedisSaver(bench.url)
        theirs, atheirs = _langgraph()
        parts: dict[str, Callable[[], float]] = {
            "sync": timed(entrypoint(checkpointer=saver)(flows.in_sequence), count),
            "async": atimed(entrypoint(checkpointer=saver)(flows.ain_sequence), count, loop),
            "sync theirs": timed(theirs, count),
            "async theirs": atimed(atheirs, count, loop),
        }
        samples = rounds(bench.scale.rounds, parts)
    return [
        Row(
            f"durable step, async durability, {count} in sequence, {kind} entrypoint",
            "µs",
            samples[kind],
            samples[f"{kind} theirs"],
            [Bar(AT_MOST, most, "ratio")],
            NAME,
        )
        for kind, most in (("sync", 0.2), ("async", 0.09))
    ]


def _langgraph() -> tuple[Any, Any]:
    """The same flows, by LangGraph's decorators."""
    func: Any = importlib.import_module("langgraph.func")
    one, aone = (func.task(inspect.unwrap(each)) for each in (flows.one, flows.aone))

    def in_sequence(count: int) -> int:
        for number in range(count):
            one(number).result()
        return count

    async def ain_sequence(count: int) -> int:
        for number in range(count):
            await aone(number)
        return count

    return func.entrypoint()(in_sequence), func.entrypoint()(ain_sequence)
