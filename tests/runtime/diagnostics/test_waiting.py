"""What `penstock show` says a run waits for, where it waits for several things at once."""

from __future__ import annotations

import re
from typing import Any

import pytest

from penstock.runtime import entrypoint, interrupt, sleep, task
from penstock.runtime.diagnostics.waiting import read_waiting
from penstock.runtime.testing import InMemoryWorker


@task
def ask(seconds: float | None) -> Any:
    return interrupt("?", timeout=seconds)


@task
def nap(seconds: float) -> None:
    sleep(seconds)


@task(queue="far")
def far(seconds: float) -> None:
    sleep(seconds)


CALLS: dict[str, Any] = {"ask": ask, "nap": nap, "far": far}


@entrypoint()
def flow(waits: list[tuple[str, float | None]]) -> None:
    for begun in [CALLS[name](seconds) for name, seconds in waits]:
        begun.result()


ANSWER = "an answer"
LIMITED = f"{ANSWER}, at most 2 h 00 min more"
STEP = "step far:0, on queue 'far': it goes on by itself"
LONG = "its timer: it goes on in 3 h 00 min"
SHORT = r"its timer: it goes on in (30 min 00|29 min 5\d) s"


@pytest.mark.parametrize(
    ("waits", "sentence"),
    [
        ([("ask", None)], ANSWER),
        ([("ask", 7230)], LIMITED),
        ([("nap", 10830)], LONG),
        ([("far", 10830)], STEP),
        ([("ask", None), ("nap", 10830)], f"{ANSWER}; and for {LONG}"),
        ([("ask", 7230), ("nap", 10830)], LIMITED),
        (
            [("ask", 7230), ("ask", None)],
            "answers to 2 questions, to one of them at most 2 h 00 min more",
        ),
        ([("ask", None), ("far", 10830)], f"{ANSWER}; and for {STEP}"),
        ([("far", 10830), ("nap", 1800)], f"{STEP}; and for {SHORT}"),
        (
            [("ask", None), ("far", 10830), ("nap", 1800)],
            f"{ANSWER}; and for {STEP}; and for {SHORT}",
        ),
    ],
)
def test_all_that_a_run_waits_for_is_named(waits: list[Any], sentence: str) -> None:
    with InMemoryWorker([flow], tasks=[far]) as worker:
        run = worker.client.enqueue(flow, waits)
        worker.work()
        found = worker.client.do(read_waiting(worker.client.plans, run.info()))

        assert re.fullmatch(sentence, found.waits_for), found.waits_for
        assert len(found.questions) == sum(name == "ask" for name, _ in waits)
